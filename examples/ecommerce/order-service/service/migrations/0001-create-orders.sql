create table orders (
  -- Integers or UUIDs, as text.
  id text primary key,
  user_id text not null,
  product text not null,
  -- In hundredths: money is counted, not measured.
  amount_cents bigint not null check (amount_cents >= 0),
  created_at timestamptz not null
);
