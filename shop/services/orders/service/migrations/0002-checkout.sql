alter table orders
  add column status text not null default 'placed' check (status in ('placed', 'confirmed', 'cancelled', 'refunded')),
  -- Why it was cancelled or refunded.
  add column reason text,
  -- The token of the card it is paid with.
  add column card text not null default 'tok_ok';
