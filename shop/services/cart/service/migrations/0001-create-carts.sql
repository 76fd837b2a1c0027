create table carts (
  id uuid primary key,
  -- An integer or a UUID, as text; null for a guest.
  user_id text,
  status text not null check (status in ('open', 'checking-out', 'checked-out', 'merged')),
  -- Chosen before it is ordered, so that a repetition orders nothing more.
  order_id uuid,
  merged_into uuid references carts,
  changed_at timestamptz not null,
  check ((status in ('checking-out', 'checked-out')) = (order_id is not null)),
  check ((status = 'merged') = (merged_into is not null)),
  check (status not in ('checking-out', 'checked-out') or user_id is not null)
);
create unique index one_cart_at_a_time on carts (user_id) where status in ('open', 'checking-out');

create table items (
  cart_id uuid not null references carts,
  sku text collate "C" not null,
  quantity bigint not null check (quantity > 0),
  -- What the customer has been shown.
  name text not null,
  minor_units bigint not null check (minor_units >= 0),
  currency text not null,
  version bigint not null,
  primary key (cart_id, sku)
);

-- The catalog's prices as far as carts need them, kept up to date by its events.
create table prices (
  sku text collate "C" primary key,
  name text not null,
  minor_units bigint not null check (minor_units >= 0),
  currency text not null,
  version bigint not null,
  discontinued boolean not null
);
