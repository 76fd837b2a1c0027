create table users (
  -- An integer or a UUID, as text.
  id text primary key,
  name text not null,
  email text not null,
  created_at timestamptz not null
);
