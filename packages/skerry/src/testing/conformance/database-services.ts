/** How a service's part of a database is opened, kept apart from the others', and closed. */
import { strict as assert } from 'node:assert'
import type { Database, DatabaseEngine } from '../../engine/database.ts'
import type { ConformanceCase } from './conformance-case.ts'
import { databaseCase, failure, times, value } from './database-scene.ts'

const whoAmI = (database: Database): Promise<unknown> =>
  value(database, `select array[current_user::text, current_setting('search_path'), current_schema()::text]`)

export const serviceCases: readonly ConformanceCase<DatabaseEngine>[] = [
  databaseCase('services: each has a schema of its own name, the only one on its search path', async (scene) => {
    const service = scene.name('order-items')
    const database = await scene.open(service, 'create table kept (id int4)')
    assert.equal(await value(database, 'select current_schema()'), service)
    assert.deepEqual(await value(database, 'select current_schemas(false)'), [service])
    assert.equal(
      await value(database, `select schemaname from pg_catalog.pg_tables where tablename = 'kept' and schemaname = $1`, [service]),
      service,
    )
  }),

  databaseCase('services: opened twice, or by many at once, is opened the same', async (scene) => {
    const service = scene.name()
    const databases = await Promise.all(times(5, () => scene.open(service)))
    await databases[0]!.transaction('read committed', (transaction) => transaction.script('create table kept (id int4)'))
    await databases[1]!.query('insert into kept values (1)')
    const again = await scene.open(service)
    assert.equal(await value(again, 'select count(*) from kept'), 1)
  }),

  databaseCase('services: many new ones can be opened at once', async (scene) => {
    const names = times(6, () => scene.name())
    const databases = await Promise.all(names.map((name) => scene.open(name)))
    assert.deepEqual(await Promise.all(databases.map((database) => value(database, 'select current_schema()'))), names)
  }),

  databaseCase('services: a name that is a word of SQL is a name', async (scene) => {
    for (const word of ['user', 'select', 'order']) {
      const database = await scene.open(word, 'drop table if exists kept; create table kept (id int4)')
      assert.equal(await value(database, 'select current_schema()'), word)
      assert.equal(await value(database, 'select count(*) from kept'), 0)
    }
  }),

  databaseCase('services: a name that cannot be one is refused', async (scene) => {
    for (const name of ['', 'Orders', 'a b', 'a"b', "a'; drop", 'pg_mine', 'public', 'information_schema', 'x'.repeat(64), '-a', 'ü'])
      await assert.rejects(scene.engine.open({ service: name, shared: true }), TypeError, name)
  }),

  databaseCase('services: the same statement means each one’s own table', async (scene) => {
    const [first, second] = [scene.name(), scene.name()]
    const databases = [
      await scene.open(first, `create table kept as select 'first' as owner`),
      await scene.open(second, `create table kept as select 'second' as owner`),
    ] as const
    for (let round = 0; round < 4; round++)
      assert.deepEqual(await Promise.all(databases.map((database) => value(database, 'select owner from kept'))), ['first', 'second'])
  }),

  databaseCase('lifecycle: ping resolves while the database answers', async (scene) => {
    const database = await scene.open()
    await Promise.all(times(20, () => database.ping()))
  }),

  databaseCase('lifecycle: after close everything is refused, and closing again is no error', async (scene) => {
    const service = scene.name()
    const database = await scene.open(service, 'create table kept (id int4)')
    await Promise.all([database.close(), database.close()])
    await database.close()
    const refused = [
      database.query('select 1'),
      database.transaction('read committed', async () => assert.fail('work must not run')),
      database.ping(),
    ]
    for (const promise of refused) {
      const error = await failure(promise, 'unavailable')
      assert.match(error.message, /closed/)
      assert.ok(error.message.includes(service), `the message names the service: ${error.message}`)
    }
    const again = await scene.open(service)
    assert.equal(await value(again, 'select count(*) from kept'), 0, 'it can be opened again, and its tables are there')
  }),

  databaseCase('lifecycle: close waits for the transactions that have begun', async (scene) => {
    const service = scene.name()
    const database = await scene.open(service, 'create table kept (id int4)')
    const begun = Promise.withResolvers<void>()
    const transaction = database.transaction('read committed', async (open) => {
      await open.query('insert into kept values (1)')
      begun.resolve()
      for (let n = 2; n <= 10; n++) await open.query('insert into kept values ($1)', [n])
    })
    await begun.promise
    await database.close()
    await transaction
    assert.equal(await value(await scene.open(service), 'select count(*) from kept'), 10)
  }),
]

/** These need a database that services share: see `DatabaseOptions.shared`. */
export const separationCases: readonly ConformanceCase<DatabaseEngine>[] = [
  databaseCase('separation: another service’s tables are out of reach', async (scene) => {
    const [owner, other] = [scene.name(), scene.name()]
    await scene.open(owner, 'create table secret (id int4); create function tell() returns int4 language sql as $$ select 1 $$')
    const database = await scene.open(other)
    const attempts = [
      `select * from "${owner}".secret`,
      `insert into "${owner}".secret values (1)`,
      `drop table "${owner}".secret`,
      `create table "${owner}".mine (id int4)`,
      `select "${owner}".tell()`,
    ]
    for (const sql of attempts) {
      await failure(database.query(sql), 'statement', '42501')
      await failure(
        database.transaction('repeatable read', (transaction) => transaction.query(sql)),
        'statement',
        '42501',
      )
      await failure(
        database.transaction('repeatable read', (transaction) => transaction.script(sql)),
        'statement',
        '42501',
      )
    }
    await failure(database.query('select * from secret'), 'statement', '42P01')
    await failure(database.query(`create schema "${other}-more"`), 'statement', '42501')
    await failure(database.query(`create role "${other}-more"`), 'statement', '42501')
  }),

  databaseCase('separation: role and search path are the service’s own, whatever went before', async (scene) => {
    const names = [scene.name(), scene.name()]
    const databases = await Promise.all(names.map((name) => scene.open(name)))
    const check = async (after: string): Promise<void> => {
      for (const [index, name] of names.entries()) assert.deepEqual(await whoAmI(databases[index]!), [name, `"${name}"`, name], after)
    }
    const [database] = databases
    await check('opening')
    await database!.transaction('read committed', async (transaction) => {
      await transaction.query('set local search_path = pg_catalog')
    })
    await check('a commit')
    await assert.rejects(database!.transaction('read committed', async (transaction) => transaction.query('select 1 / 0')))
    await check('a failed statement')
    await assert.rejects(
      database!.transaction('read committed', async (transaction) => {
        await transaction.query('set local search_path = pg_catalog')
        throw new Error('rolled back')
      }),
    )
    await check('a rollback')
    await failure(database!.query('selec'), 'statement', '42601')
    await check('a failed query')
    await database!.transaction('read committed', (transaction) => transaction.script('set search_path = pg_catalog'))
    await check('a script that set it for the session')
  }),
]
