-- Counts the changes of the price.
alter table products add column price_version bigint not null default 1 check (price_version >= 1);
alter table products add column discontinued boolean not null default false;
