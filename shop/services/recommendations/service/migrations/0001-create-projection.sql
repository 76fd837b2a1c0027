-- The orders that have come, as they came: what everything below is added up from.
create table orders_seen (
  -- An integer or a UUID, as text.
  order_id text primary key,
  -- Each product once, sorted.
  skus jsonb not null,
  placed_at timestamptz not null
);

-- Which generation is shown, and which is being built beside it.
create table projection (
  id int primary key check (id = 1),
  live int not null,
  building int,
  check (building is null or building > live)
);
insert into projection (id, live) values (1, 1);

-- Which orders a generation has added up.
create table folded (
  generation int not null,
  order_id text not null references orders_seen,
  primary key (generation, order_id)
);

-- In how many orders the two were together.
create table pairs (
  generation int not null,
  sku text collate "C" not null,
  other text collate "C" not null,
  orders bigint not null check (orders > 0),
  primary key (generation, sku, other),
  check (sku <> other)
);

-- In how many orders of a day it was.
create table sales (
  generation int not null,
  sku text collate "C" not null,
  day date not null,
  orders bigint not null check (orders > 0),
  primary key (generation, sku, day)
);
create index sales_of_day on sales (generation, day);
