-- The balance of each product. It says what the sum of its movements says, and is what a sale locks.
create table stock (
  sku text collate "C" primary key,
  on_hand bigint not null default 0 check (on_hand >= 0),
  reserved bigint not null default 0,
  -- Somebody is told when fewer than these are left.
  low_below bigint not null default 5 check (low_below >= 0),
  constraint never_oversold check (reserved between 0 and on_hand)
);

-- What has happened to the pieces; rows are only ever added.
create table movements (
  id bigint generated always as identity primary key,
  sku text collate "C" not null references stock,
  kind text not null check (kind in ('initial', 'received', 'reserved', 'released', 'expired', 'committed', 'restocked')),
  -- Below zero only for received: pieces that were missing when somebody counted.
  quantity bigint not null check (quantity > 0 or (kind = 'received' and quantity < 0)),
  on_hand_change bigint not null generated always as (
    case when kind in ('initial', 'received', 'restocked') then quantity when kind = 'committed' then -quantity else 0 end
  ) stored,
  reserved_change bigint not null generated always as (
    case when kind = 'reserved' then quantity when kind in ('released', 'expired', 'committed') then -quantity else 0 end
  ) stored,
  -- An integer or a UUID, as text; null where no order is behind it.
  order_id text,
  -- The name of the request that made it, so that a repetition is recognised.
  adjustment text unique,
  reason text,
  moved_at timestamptz not null,
  check ((order_id is null) = (kind in ('initial', 'received')))
);
create index movements_of_sku on movements (sku, id);
create index movements_of_order on movements (order_id) where order_id is not null;

create table reservations (
  -- An integer or a UUID, as text.
  order_id text primary key,
  status text not null check (status in ('reserved', 'rejected', 'committed', 'released', 'expired', 'restocked')),
  -- Null where nothing was ever reserved.
  expires_at timestamptz,
  -- What was missing when it was rejected.
  shortages jsonb,
  changed_at timestamptz not null,
  check (status <> 'reserved' or expires_at is not null),
  check ((status = 'rejected') = (shortages is not null))
);
create index reservations_that_expire on reservations (expires_at) where status = 'reserved';

create table reservation_lines (
  order_id text not null references reservations,
  sku text collate "C" not null,
  quantity bigint not null check (quantity > 0),
  primary key (order_id, sku)
);
create index reservation_lines_of_sku on reservation_lines (sku);
