/** What statements answer, and how they fail. */
import { strict as assert } from 'node:assert'
import type { DatabaseEngine } from '../../engine/database.ts'
import type { ConformanceCase } from './conformance-case.ts'
import { databaseCase, failure, times, value } from './database-scene.ts'

const REFUSED_STATEMENTS = [
  'begin',
  'START TRANSACTION',
  'commit',
  'end',
  'rollback',
  'abort',
  'set search_path = public',
  'SET SESSION AUTHORIZATION DEFAULT',
  'set role none',
  'reset role',
  'RESET ALL',
  'discard all',
  'listen news',
  '  -- a comment\n commit',
  '/* another */ begin',
]

export const statementCases: readonly ConformanceCase<DatabaseEngine>[] = [
  databaseCase('statements: `affected` counts the rows inserted, updated, deleted or selected', async (scene) => {
    const database = await scene.open(scene.name(), 'create table kept (id int4 primary key, t text)')
    const affected = async (sql: string, parameters: readonly unknown[] = []): Promise<number> =>
      (await database.query(sql, parameters)).affected
    assert.equal(await affected(`insert into kept values (1, 'a'), (2, 'b'), (3, 'c')`), 3)
    assert.equal(await affected('insert into kept values ($1, $2) returning id', [4, 'd']), 1)
    assert.equal(await affected(`insert into kept values (1, 'z') on conflict do nothing`), 0)
    assert.equal(await affected(`insert into kept values (1, 'z') on conflict (id) do update set t = excluded.t`), 1)
    assert.equal(await affected('update kept set t = $1 where id > $2', ['x', 2]), 2)
    assert.equal(await affected('update kept set t = t where false'), 0)
    assert.equal(await affected('select * from kept'), 4)
    assert.equal(await affected('select * from kept where false'), 0)
    assert.equal(await affected('delete from kept where id <= 2 returning *'), 2)
    assert.equal(await affected('with gone as (delete from kept returning id) select * from gone'), 2)
    assert.equal(await affected('delete from kept'), 0)
    assert.equal(await affected('create table other (id int4)'), 0)
    assert.equal(await affected(''), 0, 'an empty statement')
  }),

  databaseCase('statements: errors carry SQLSTATE, constraint and position', async (scene) => {
    const database = await scene.open(
      scene.name(),
      `create table parent (id int4 primary key);
       create table child (id int4 primary key, parent int4 constraint child_has_parent references parent, n int4 constraint n_is_positive check (n > 0), t text not null)`,
    )
    await database.query('insert into parent values (1)')
    await database.query(`insert into child values (1, 1, 1, '')`)
    const refused = async (
      sql: string,
      sqlState: string,
      parameters: readonly unknown[] = [],
    ): Promise<{ constraint: string | undefined; position: number | undefined }> => {
      const { constraint, position } = await failure(database.query(sql, parameters), 'statement', sqlState)
      return { constraint, position }
    }
    assert.deepEqual(await refused(`insert into child values (1, 1, 1, '')`, '23505'), { constraint: 'child_pkey', position: undefined })
    assert.deepEqual(await refused(`insert into child values (2, 9, 1, '')`, '23503'), {
      constraint: 'child_has_parent',
      position: undefined,
    })
    assert.deepEqual(await refused(`insert into child values (2, 1, 0, '')`, '23514'), { constraint: 'n_is_positive', position: undefined })
    assert.deepEqual(await refused('insert into child values (2, 1, 1, null)', '23502'), { constraint: undefined, position: undefined })
    assert.deepEqual(await refused('select 1 frm x', '42601'), { constraint: undefined, position: 14 })
    assert.deepEqual(await refused('select * from nowhere', '42P01'), { constraint: undefined, position: 15 })
    assert.deepEqual(await refused(`select 'ü', nothing from parent`, '42703'), { constraint: undefined, position: 13 })
    assert.deepEqual(await refused('select $1::int4', '22P02', ['x']), { constraint: undefined, position: undefined })
    assert.deepEqual(await refused('select 1 / $1::int4', '22012', [0]), { constraint: undefined, position: undefined })
    assert.deepEqual(await refused('select $1::text', '22021', ['a\0b']), { constraint: undefined, position: undefined })
    await refused('select 1; select 2', '42601')
    assert.equal(await value(database, 'select 1'), 1)
  }),

  databaseCase('statements: a lock not granted in time is a lost race', async (scene) => {
    const database = await scene.open()
    await failure(database.query(`do $$ begin raise exception using errcode = '55P03'; end $$`), 'serialization', '55P03')
    await failure(database.query(`do $$ begin raise exception using errcode = '40P01'; end $$`), 'serialization', '40P01')
    await failure(database.query(`do $$ begin raise exception using errcode = 'P0001', message = 'no'; end $$`), 'statement', 'P0001')
  }),

  databaseCase('statements: what would outlive the transaction, or end it, is refused', async (scene) => {
    const database = await scene.open()
    for (const sql of REFUSED_STATEMENTS) await failure(database.query(sql), 'statement')
    await database.transaction('read committed', async (transaction) => {
      for (const sql of REFUSED_STATEMENTS) await failure(transaction.query(sql), 'statement')
      await transaction.query(`set local lock_timeout = '2s'`)
      assert.equal(await value(transaction, `select current_setting('lock_timeout')`), '2s')
      await transaction.query('savepoint here')
      await transaction.query('rollback to savepoint here')
      await transaction.query('set constraints all deferred')
    })
    assert.equal(await value(database, `select current_setting('lock_timeout')`), '0')
    assert.equal(await value(database, `select 'set role' as "begin"`), 'set role', 'words inside a statement are not refused')
  }),

  databaseCase('statements: many different ones, each again and again, on one database', async (scene) => {
    const database = await scene.open()
    for (let round = 0; round < 3; round++)
      await Promise.all(
        times(400, async (n) => assert.equal(await value(database, `select ${n} + $1::int4 as "n${n}"`, [round]), n + round)),
      )
  }),

  databaseCase('statements: a prepared one survives a migration that changes its columns', async (scene) => {
    const database = await scene.open(scene.name(), 'create table kept (id int4); insert into kept values (1)')
    const read = (): Promise<unknown> => database.query('select * from kept').then(({ rows }) => rows[0])
    for (let round = 0; round < 4; round++)
      assert.deepEqual(
        await Promise.all(times(12, read)),
        times(12, () => ({ id: 1 })),
      )
    await database.transaction('read committed', (transaction) => transaction.script(`alter table kept add column t text default 'new'`))
    assert.deepEqual(
      await Promise.all(times(12, read)),
      times(12, () => ({ id: 1, t: 'new' })),
    )
    await database.transaction('read committed', (transaction) => transaction.script('alter table kept drop column id'))
    assert.deepEqual(await read(), { t: 'new' })
  }),

  databaseCase('statements: inside a transaction a stale plan is a lost race, won when run again', async (scene) => {
    const database = await scene.open(scene.name(), 'create table kept (id int4); insert into kept values (1)')
    const read = (): Promise<unknown> =>
      database.transaction('read committed', async (transaction) => (await transaction.query('select * from kept')).rows[0])
    for (let round = 0; round < 4; round++) await read()
    await database.transaction('read committed', (transaction) => transaction.script(`alter table kept add column t text default 'new'`))
    const again = await read().catch(async () => read())
    assert.deepEqual(again, { id: 1, t: 'new' })
  }),
]
