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
  ['create table lines (id int); alter table orders drop column lines', 'migration-drop-column'],
]

const ALLOWED = [
  'create table lines (id int primary key, quantity int not null unique)',
  'create table lines (id int); alter table lines add column sku text not null; create unique index on lines (sku)',
  'create table if not exists lines (id int); drop table lines',
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
    const sql = 'alter table orders drop column total, rename to sales'
    expect(
      migrationHazards([{ name: 'a', sql: `-- skerry:allow migration-drop-column: not read any more\n${sql}` }]).map(({ rule }) => rule),
    ).toEqual(['migration-rename'])
    expect(migrationHazards([{ name: 'a', sql: `-- skerry:allow migration-drop-column:\n${sql}` }])).toHaveLength(2)
  })
})
