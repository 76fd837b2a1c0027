create table orders (
  -- Integers or UUIDs, as text.
  id text primary key,
  user_id text not null,
  idempotency_key text,
  -- What was ordered at which price; never changes, and is read as a whole.
  lines jsonb not null,
  total_minor_units bigint not null check (total_minor_units >= 0),
  currency text not null,
  placed_at timestamptz not null,
  unique (user_id, idempotency_key)
);
create index orders_of_user on orders (user_id, placed_at desc);
