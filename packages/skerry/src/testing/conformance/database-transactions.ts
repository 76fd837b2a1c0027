/** Where a transaction begins and ends, and what is left of it when something fails. */
import { strict as assert } from 'node:assert'
import type { Database, DatabaseEngine, Isolation, Transaction } from '../../engine/database.ts'
import type { ConformanceCase } from './conformance-case.ts'
import { databaseCase, failure, times, value } from './database-scene.ts'

const ISOLATIONS: readonly Isolation[] = ['read committed', 'repeatable read', 'serializable']
const KEPT = 'create table kept (id int4 primary key, t text)'

const count = (database: Database): Promise<unknown> => value(database, 'select count(*) from kept')

/** What the promise rejects with. */
function thrown(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => assert.fail('expected it to reject'),
    (error: unknown) => error,
  )
}

export const transactionCases: readonly ConformanceCase<DatabaseEngine>[] = [
  databaseCase('transactions: commit what was done and resolve with what work returned', async (scene) => {
    const database = await scene.open(scene.name(), KEPT)
    for (const [id, isolation] of ISOLATIONS.entries()) {
      const result = await database.transaction(isolation, async (transaction) => {
        await transaction.query('insert into kept values ($1)', [id])
        return `${isolation}, ${String(await value(transaction, `select current_setting('transaction_isolation')`))}`
      })
      assert.equal(result, `${isolation}, ${isolation}`)
    }
    assert.equal(await count(database), ISOLATIONS.length)
    assert.equal(await database.transaction('serializable', async () => 'nothing asked'), 'nothing asked')
  }),

  databaseCase('transactions: when work throws, nothing is left and its error comes out unchanged', async (scene) => {
    const database = await scene.open(scene.name(), KEPT)
    for (const reason of [new RangeError('mine'), 'a string', undefined]) {
      const rejected = await thrown(
        database.transaction('repeatable read', async (transaction) => {
          await transaction.query('insert into kept values (1)')
          throw reason
        }),
      )
      assert.equal(rejected, reason)
    }
    const beforeAnything = new Error('before anything was asked')
    assert.equal(
      await thrown(
        database.transaction('read committed', () => {
          throw beforeAnything
        }),
      ),
      beforeAnything,
    )
    assert.equal(await count(database), 0)
  }),

  databaseCase('transactions: a failed statement ends them, with that statement’s error', async (scene) => {
    const database = await scene.open(scene.name(), KEPT)
    const work = async (transaction: Transaction): Promise<void> => {
      await transaction.query('insert into kept values (1)')
      await transaction.query('insert into kept values (1)')
    }
    const error = await failure(database.transaction('repeatable read', work), 'statement', '23505')
    assert.equal(error.constraint, 'kept_pkey')
    assert.equal(await count(database), 0)
  }),

  databaseCase('transactions: one whose failed statement was caught does not pretend to have committed', async (scene) => {
    const database = await scene.open(scene.name(), KEPT)
    const error = await failure(
      database.transaction('repeatable read', async (transaction) => {
        await transaction.query('insert into kept values (1)')
        await failure(transaction.query('insert into kept values (1)'), 'statement', '23505')
        await failure(transaction.query('select 1'), 'statement', '25P02')
        return 'all is well'
      }),
      'statement',
      '23505',
    )
    assert.equal(error.constraint, 'kept_pkey')
    assert.match(error.message, /caught/)
    const race = database.transaction('repeatable read', async (transaction) => {
      await transaction.query(`do $$ begin raise exception using errcode = '40001'; end $$`).catch(() => undefined)
    })
    await failure(race, 'serialization', '40001')
    assert.equal(await count(database), 0)
  }),

  databaseCase('transactions: a savepoint lets them go on after a failed statement', async (scene) => {
    const database = await scene.open(scene.name(), KEPT)
    await database.transaction('repeatable read', async (transaction) => {
      await transaction.query('insert into kept values (1)')
      await transaction.query('savepoint attempt')
      await failure(transaction.query('insert into kept values (1)'), 'statement', '23505')
      await transaction.query('rollback to savepoint attempt')
      await transaction.query('insert into kept values (2)')
    })
    assert.equal(await count(database), 2)
  }),

  databaseCase('transactions: what only COMMIT finds wrong is an error of the transaction', async (scene) => {
    const database = await scene.open(
      scene.name(),
      `${KEPT}; create table child (parent int4 constraint has_parent references kept deferrable initially deferred)`,
    )
    const work = async (transaction: Transaction): Promise<string> => {
      await transaction.query('insert into kept values (1)')
      await transaction.query('insert into child values (9)')
      return 'all is well'
    }
    const error = await failure(database.transaction('repeatable read', work), 'statement', '23503')
    assert.equal(error.constraint, 'has_parent')
    assert.equal((await failure(database.query('insert into child values (9)'), 'statement', '23503')).constraint, 'has_parent')
    assert.deepEqual([await count(database), await value(database, 'select count(*) from child')], [0, 0])
  }),

  databaseCase('transactions: the last statement may bring COMMIT along', async (scene) => {
    const database = await scene.open(scene.name(), KEPT)
    await database.transaction('repeatable read', async (transaction) => {
      await transaction.query('insert into kept values (1)')
      const { rows } = await transaction.queryLast<{ id: number }>('insert into kept values ($1) returning id', [2])
      assert.deepEqual(rows, [{ id: 2 }])
      // Seen from outside, before the function ends.
      assert.equal(await count(database), 2)
      await failure(transaction.query('select 1'), 'statement')
    })
    await database.transaction('serializable', (transaction) => transaction.queryLast('insert into kept values (3)'))
    assert.equal(await count(database), 3)
  }),

  databaseCase('transactions: a last statement that fails takes everything with it, with its error', async (scene) => {
    const database = await scene.open(
      scene.name(),
      `${KEPT}; create table child (parent int4 constraint has_parent references kept deferrable initially deferred)`,
    )
    const work =
      (last: string) =>
      async (transaction: Transaction): Promise<unknown> => {
        await transaction.query('insert into kept values (1)')
        return transaction.queryLast(last)
      }
    await failure(database.transaction('repeatable read', work('insert into kept values (1)')), 'statement', '23505')
    await failure(database.transaction('repeatable read', work('insert into child values (9)')), 'statement', '23503')
    assert.equal(await count(database), 0)
    // And the connection serves others.
    await Promise.all(times(20, (id) => database.query('insert into kept values ($1)', [id])))
    assert.equal(await count(database), 20)
  }),

  databaseCase('transactions: statements begun together run in the order in which they were begun', async (scene) => {
    const database = await scene.open(scene.name(), 'create table log (id int4 generated always as identity, n int4)')
    await database.transaction('repeatable read', async (transaction) => {
      await Promise.all(times(50, (n) => transaction.query('insert into log (n) values ($1)', [n])))
    })
    const { rows } = await database.query<{ n: number }>('select n from log order by id')
    assert.deepEqual(
      rows.map(({ n }) => n),
      times(50, (n) => n),
    )
  }),

  databaseCase('transactions: of statements begun together, one that fails takes all with it, and leaves no trace', async (scene) => {
    const database = await scene.open(scene.name(), KEPT)
    const work = (transaction: Transaction): Promise<unknown> =>
      Promise.all(times(20, (n) => transaction.query('insert into kept values ($1)', [n === 10 ? 0 : n])))
    for (let round = 0; round < 5; round++) await failure(database.transaction('repeatable read', work), 'statement', '23505')
    assert.equal(await count(database), 0)
  }),

  databaseCase('transactions: statements not awaited are part of them; statements after their end are refused', async (scene) => {
    const database = await scene.open(scene.name(), KEPT)
    let kept: Transaction | undefined
    let pending: Promise<unknown> | undefined
    await database.transaction('read committed', async (transaction) => {
      kept = transaction
      pending = transaction.query('insert into kept values (1)')
    })
    await pending
    assert.equal(await count(database), 1)
    const error = await failure(kept!.query('insert into kept values (2)'), 'statement')
    assert.match(error.message, /ended/)
    await failure(kept!.script('insert into kept values (2)'), 'statement')
    assert.equal(await count(database), 1)
  }),

  databaseCase('scripts: several statements, with bodies and comments, in one transaction', async (scene) => {
    const database = await scene.open(scene.name(), KEPT)
    await database.transaction('read committed', async (transaction) => {
      await transaction.script(`
        -- semicolons; in a comment
        insert into kept values (1, 'a;b');
        create function twice(n int4) returns int4 language plpgsql as $body$ begin return n * 2; end; $body$;
        insert into kept values (twice(21), $$it's$$);`)
      await transaction.script('')
      await transaction.script('-- nothing but a comment')
      assert.equal(await value(transaction, 'select count(*) from kept'), 2, 'the transaction sees them')
    })
    assert.deepEqual((await database.query('select * from kept order by id')).rows, [
      { id: 1, t: 'a;b' },
      { id: 42, t: "it's" },
    ])
  }),

  databaseCase('scripts: one that fails leaves nothing of itself, nor of the transaction', async (scene) => {
    const database = await scene.open(scene.name(), KEPT)
    const work = async (transaction: Transaction): Promise<void> => {
      await transaction.query('insert into kept values (1)')
      await transaction.script(
        'create table other (id int4); insert into kept values (2); insert into nowhere values (3); insert into kept values (4)',
      )
    }
    const error = await failure(database.transaction('read committed', work), 'statement', '42P01')
    assert.ok(error.position !== undefined && error.position > 0)
    assert.equal(await count(database), 0)
    await failure(database.query('select * from other'), 'statement', '42P01')
  }),

  databaseCase('scripts: one that would end its transaction is refused before anything is done', async (scene) => {
    const database = await scene.open(scene.name(), KEPT)
    const scripts = [
      'insert into kept values (1); commit',
      'BEGIN; insert into kept values (1); COMMIT;',
      'insert into kept values (1); -- so\n /* there */ rollback;',
      'end',
    ]
    for (const script of scripts) {
      await failure(
        database.transaction('read committed', (transaction) => transaction.script(script)),
        'statement',
      )
      await database.transaction('read committed', async (transaction) => {
        await failure(transaction.script(script), 'statement')
      })
    }
    assert.equal(await count(database), 0)
    await database.transaction('read committed', (transaction) =>
      transaction.script(`insert into kept values (1, '; commit'); insert into kept values (2, $$; rollback; $$) -- ; commit
        ; create table "; commit" (id int4); savepoint here; rollback to here; insert into kept values (3, E'it\\'s; commit')`),
    )
    assert.equal(await count(database), 3)
  }),

  databaseCase('scripts: settings they make for the session end with their transaction', async (scene) => {
    const database = await scene.open(scene.name(), KEPT)
    const settings = (): Promise<unknown[]> =>
      Promise.all(
        times(8, () =>
          value(
            database,
            `select array[current_setting('search_path'), current_setting('timezone'), current_setting('statement_timeout'), current_user::text]`,
          ),
        ),
      )
    const before = await settings()
    // As pg_dump begins its files.
    const dump = `set statement_timeout = 54321; set timezone = 'Asia/Tokyo'; select pg_catalog.set_config('search_path', '', false)`
    await database.transaction('read committed', (transaction) => transaction.script(dump))
    assert.deepEqual(await settings(), before)
    const failing = database.transaction('read committed', (transaction) => transaction.script(`${dump}; select 1 / 0`))
    await failure(failing, 'statement', '22012')
    assert.deepEqual(await settings(), before)
  }),
]
