create table users (
  -- An integer or a UUID, as text.
  id text primary key,
  name text not null,
  email text not null,
  idempotency_key text unique,
  registered_at timestamptz not null
);
