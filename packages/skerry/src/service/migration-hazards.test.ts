import { describe, expect, it } from 'vitest'
import { migrationHazards } from './migration-hazards.ts'

const REFUSED: readonly (readonly [sql: string, ...rules: string[]])[] = [
  ['drop table orders', 'migration-drop-table'],
  ['DROP TABLE IF EXISTS "orders" CASCADE', 'migration-drop-table'],
  ['drop view totals', 'migration-drop-object'],
  ['drop function total(int)', 'migration-drop-object'],
  ['truncate orders', 'migration-truncate'],
  ['create unique index on orders (email)', 'migration-add-unique'],
  ['create unique index if not exists one_email on only orders (email)', 'migration-add-unique'],
  ['alter table orders drop column total', 'migration-drop-column'],
  ['alter table orders drop total', 'migration-drop-column'],
  ['alter table if exists only orders drop column if exists total cascade', 'migration-drop-column'],
  ['alter table orders rename to sales', 'migration-rename'],
  ['alter table orders rename total to amount', 'migration-rename'],
  ['alter table orders rename column total to amount', 'migration-rename'],
  ['alter table orders add column total int not null', 'migration-add-not-null'],
  ['alter table orders add total int NOT NULL check (total > 0)', 'migration-add-not-null'],
  ['alter table orders alter column total set not null', 'migration-set-not-null'],
  ['alter table orders alter total type bigint', 'migration-change-type'],
  ['alter table orders alter column total set data type bigint using total::bigint', 'migration-change-type'],
  ['alter table orders alter column total drop default', 'migration-drop-default'],
  ['alter table orders add constraint positive check (total > 0)', 'migration-add-constraint'],
  ['alter table orders add unique (email)', 'migration-add-constraint'],
  ['alter table orders add foreign key (customer) references customers', 'migration-add-constraint'],
  ['alter table orders add column note text, drop column total', 'migration-drop-column'],
  ['alter table orders add column price numeric(10, 2) not null, drop column total', 'migration-add-not-null', 'migration-drop-column'],
  ["insert into t values ('a -- b'); drop table orders", 'migration-drop-table'],
  ["comment on column t.a is 'see -- and /* '; alter table t drop column a", 'migration-drop-column'],
  ["insert into t values (E'\\''); drop table orders; select ''''", 'migration-drop-table'],
  ['/* a /* nested */ b */ drop table orders', 'migration-drop-table'],
  ["insert into t values ('-- skerry:allow migration-drop-table: x'); drop table orders", 'migration-drop-table'],
  ['create table if not exists orders (id int); drop table orders', 'migration-drop-table'],
  ['create table if not exists orders (id int); alter table orders drop column total', 'migration-drop-column'],
  ['create table a (id int); drop table a, orders', 'migration-drop-table'],
  ['truncate table orders, lines restart identity cascade', 'migration-truncate', 'migration-truncate'],
  ['alter table t add column a int default null not null', 'migration-add-not-null'],
  ['alter table t add column a int primary key', 'migration-add-not-null'],
  ['alter table t set schema other', 'migration-rename'],
  ['alter view v rename to w', 'migration-rename'],
  ["alter type mood rename value 'sad' to 'blue'", 'migration-rename'],
  ['alter type m drop attribute a', 'migration-change-type'],
  ['alter domain d add constraint c check (value > 0)', 'migration-add-constraint'],
  ['alter domain d set not null', 'migration-add-constraint'],
  ['drop schema other cascade', 'migration-drop-object'],
  ['drop materialized view v', 'migration-drop-object'],
  ['alter table t * drop column a', 'migration-drop-column'],
  ['alter table t alter a drop identity', 'migration-drop-default'],
  ['alter table t detach partition p', 'migration-drop-object'],
  ['alter table t enable row level security', 'migration-revoke'],
  ['revoke insert on t from app', 'migration-revoke'],
  ['do $$ begin alter table t drop column a; end $$', 'migration-do'],
  ['alter table "Orders" drop column "To Tal"', 'migration-drop-column'],
  ['create table lines (id int); alter table orders drop column lines', 'migration-drop-column'],
]

const ALLOWED = [
  'create table lines (id int primary key, quantity int not null unique)',
  'create table lines (id int); alter table lines add column sku text not null; create unique index on lines (sku)',
  'create table lines (id int); drop table lines',
  'alter table t add column a int check (a is not null)',
  'alter table t add column "not null" int',
  'create table "orders" (id int); alter table orders add column total int not null',
  'create table public.orders (id int); alter table orders drop column id',
  'create temp table x (id int); drop table x',
  'create view v as select 1; drop view v',
  'create table tmp (id int); alter table tmp rename to x; alter table x drop column id',
  'alter table t add column a int; alter table t drop column a',
  'alter table t add column a int, add constraint fk foreign key (a) references other (id)',
  'alter table t add column a int; create unique index on t (a)',
  'create materialized view v as select 1; create unique index on v (a)',
  "alter type mood add value 'calm'",
  'alter table t rename constraint a to b',
  'create index on orders (email)',
  'alter table orders add column note text',
  'alter table orders add column total int not null default 0',
  'alter table orders add column number bigserial not null',
  'alter table orders add column total int not null generated always as (price * quantity) stored',
  'alter table orders alter column total drop not null',
  'alter table orders alter column total set default 0',
  'alter table orders drop constraint positive',
  "insert into notes values ('drop table orders')",
  '-- drop table orders\nselect 1',
  'create function f() returns int language sql as $$ drop table orders; select 1 $$',
  '-- skerry:allow migration-drop-column: nothing since 1.4.0 reads it\nalter table orders drop column total',
]

describe('what would break the version before, which still runs', () => {
  it.each(REFUSED)('%s', (sql, ...rules) => {
    const found = migrationHazards([{ name: '0002-change.sql', sql }])
    expect(found.map(({ rule }) => rule)).toEqual(rules)
    for (const { migration, message, advice } of found) {
      expect(migration).toBe('0002-change.sql')
      expect(message).not.toMatch(/undefined/)
      expect(advice).not.toBe('')
    }
  })

  it.each(ALLOWED)('and not: %s', (sql) => {
    expect(migrationHazards([{ name: '0002-change.sql', sql }])).toEqual([])
  })

  it('is allowed by rule, and only with a reason', () => {
    const sql = 'alter table orders drop column total; alter table orders rename to sales'
    expect(
      migrationHazards([{ name: 'a', sql: `-- skerry:allow migration-drop-column: not read any more\n${sql}` }]).map(({ rule }) => rule),
    ).toEqual(['migration-rename'])
    expect(migrationHazards([{ name: 'a', sql: `-- skerry:allow migration-drop-column:\n${sql}` }])).toHaveLength(2)
  })
})
