create table products (
  -- Sorted by bytes, so that pages are the same on every server.
  sku text collate "C" primary key,
  name text not null,
  description text not null,
  category text not null,
  price_minor_units bigint not null check (price_minor_units >= 0),
  currency text not null
);
create index products_category on products (category, sku);
