/**
 * What transactions at work at the same time may see of each other. On an engine that runs them one after the other
 * every case holds trivially; elsewhere a transaction either waits or loses with kind `serialization`.
 */
import { strict as assert } from 'node:assert'
import type { DatabaseEngine } from '../../engine/database.ts'
import { DatabaseError } from '../../engine/database.ts'
import type { ConformanceCase } from './conformance-case.ts'
import { databaseCase, failure, retrying, times, value } from './database-scene.ts'

export const isolationCases: readonly ConformanceCase<DatabaseEngine>[] = [
  databaseCase('isolation: no update is lost that was read before it was written', async (scene) => {
    const database = await scene.open(scene.name(), 'create table counter (n int4); insert into counter values (0)')
    for (const isolation of ['repeatable read', 'serializable'] as const) {
      await database.query('update counter set n = 0')
      const increments = times(24, () =>
        retrying(database, isolation, async (transaction) => {
          const n = (await value(transaction, 'select n from counter')) as number
          await transaction.query('update counter set n = $1', [n + 1])
        }),
      )
      await Promise.all(increments)
      assert.equal(await value(database, 'select n from counter'), 24, isolation)
    }
  }),

  databaseCase('isolation: read committed adds up what is added in place', async (scene) => {
    const database = await scene.open(scene.name(), 'create table counter (n int4); insert into counter values (0)')
    await Promise.all([
      ...times(20, () => database.transaction('read committed', (transaction) => transaction.query('update counter set n = n + 1'))),
      ...times(20, () => database.query('update counter set n = n + 1')),
    ])
    assert.equal(await value(database, 'select n from counter'), 40)
  }),

  databaseCase('isolation: repeatable read sees one state from its first statement to its last', async (scene) => {
    const database = await scene.open(scene.name(), 'create table counter (n int4); insert into counter values (0)')
    let writing: Promise<unknown> = Promise.resolve()
    const seen = await database.transaction('repeatable read', async (transaction) => {
      const values = [await value(transaction, 'select n from counter')]
      // Where transactions wait for each other this one is done only after the reader: it must not be awaited in here.
      writing = Promise.all(times(5, () => database.query('update counter set n = n + 1')))
      for (let read = 0; read < 50; read++) values.push(await value(transaction, 'select n from counter'))
      return values
    })
    await writing
    assert.deepEqual(
      seen,
      times(51, () => 0),
    )
    assert.equal(await value(database, 'select n from counter'), 5)
  }),

  databaseCase('isolation: serializable lets no two transactions each rely on what the other undoes', async (scene) => {
    const database = await scene.open(scene.name(), 'create table on_call (doctor int4 primary key)')
    for (let round = 0; round < 10; round++) {
      await database.query('delete from on_call')
      await database.query('insert into on_call values (1), (2)')
      const leave = (doctor: number): Promise<void> =>
        retrying(database, 'serializable', async (transaction) => {
          if ((await value(transaction, 'select count(*) from on_call')) === 2)
            await transaction.query('delete from on_call where doctor = $1', [doctor])
        })
      await Promise.all([leave(1), leave(2)])
      assert.equal(await value(database, 'select count(*) from on_call'), 1, 'one doctor stays')
    }
  }),

  databaseCase('isolation: insert … on conflict do nothing lets one of many through, in repeatable read too', async (scene) => {
    const database = await scene.open(scene.name(), 'create table inbox (message int4 primary key); create table effect (message int4)')
    for (const isolation of ['read committed', 'repeatable read'] as const)
      for (let message = 0; message < 10; message++) {
        const handle = (): Promise<void> =>
          retrying(database, isolation, async (transaction) => {
            const { affected } = await transaction.query('insert into inbox values ($1) on conflict do nothing', [message])
            if (affected === 1) await transaction.query('insert into effect values ($1)', [message])
          })
        await Promise.all(times(4, handle))
        assert.equal(
          await value(database, 'select count(*) from effect where message = $1', [message]),
          1,
          `${isolation}, message ${message}`,
        )
        await database.query('delete from inbox where message = $1', [message])
        await database.query('delete from effect where message = $1', [message])
      }
  }),

  databaseCase('isolation: two that lock each other’s rows end, and lose nothing', async (scene) => {
    const database = await scene.open(
      scene.name(),
      'create table account (id int4 primary key, n int4); insert into account values (1, 100), (2, 100)',
    )
    const transfer = (from: number, to: number): Promise<void> =>
      retrying(database, 'read committed', async (transaction) => {
        await transaction.query('update account set n = n - 1 where id = $1', [from])
        await transaction.query('update account set n = n + 1 where id = $1', [to])
      })
    await Promise.all([transfer(1, 2), transfer(2, 1)])
    assert.deepEqual((await database.query('select * from account order by id')).rows, [
      { id: 1, n: 100 },
      { id: 2, n: 100 },
    ])
  }),

  databaseCase('isolation: a transaction that is rolled back was never seen', async (scene) => {
    const database = await scene.open(scene.name(), 'create table kept (id int4)')
    const seen: unknown[] = []
    const rollingBack = database.transaction('read committed', async (transaction) => {
      for (let id = 0; id < 20; id++) await transaction.query('insert into kept values ($1)', [id])
      throw new Error('never mind')
    })
    const reading = (async () => {
      for (let read = 0; read < 20; read++) seen.push(await value(database, 'select count(*) from kept'))
    })()
    await assert.rejects(rollingBack, /never mind/)
    await reading
    assert.deepEqual(
      seen,
      times(20, () => 0),
    )
  }),

  databaseCase('load: transactions of several services at once all complete, and only those committed are there', async (scene) => {
    const databases = await Promise.all(times(4, () => scene.open(scene.name(), 'create table kept (id int4 primary key, t text)')))
    const outcomes = await Promise.allSettled(
      times(200, async (id) => {
        const database = databases[id % databases.length]!
        await database.transaction(id % 3 === 0 ? 'serializable' : 'repeatable read', async (transaction) => {
          await transaction.query('insert into kept values ($1, $2)', [id, 'first'])
          assert.equal(await value(transaction, 'select t from kept where id = $1', [id]), 'first')
          await transaction.query('update kept set t = $2 where id = $1', [id, 'second'])
          if (id % 10 === 9) throw new Error('rolled back')
        })
        return id
      }),
    )
    const committed = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    for (const outcome of outcomes)
      if (outcome.status === 'rejected' && !(outcome.reason instanceof DatabaseError && outcome.reason.kind === 'serialization'))
        assert.equal((outcome.reason as Error).message, 'rolled back')
    assert.ok(committed.length >= 100, `most transactions commit, ${committed.length} did`)
    const rows = await Promise.all(databases.map((database) => database.query<{ id: number; t: string }>('select id, t from kept')))
    assert.deepEqual(
      rows.flatMap((result) => result.rows.map(({ id }) => id)).toSorted((a, b) => a - b),
      committed,
    )
    assert.ok(rows.every((result) => result.rows.every(({ t }) => t === 'second')))
  }),

  databaseCase('load: queries, transactions and failures, all at once', async (scene) => {
    const database = await scene.open(scene.name(), 'create table kept (id int4 primary key)')
    await Promise.all(
      times(150, async (id) => {
        if (id % 3 === 0) return database.query('insert into kept values ($1)', [id])
        if (id % 3 === 1) return failure(database.query('select * from nowhere'), 'statement', '42P01')
        return database.transaction('read committed', (transaction) => transaction.query('insert into kept values ($1)', [id]))
      }),
    )
    assert.equal(await value(database, 'select count(*) from kept'), 100)
  }),
]
