/** What PGlite does beyond the port: services that do not play fair, threads, and its end. */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Database } from 'skerry/engine'
import { VirtualClock } from 'skerry/testing'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { failureOf, ids, KEPT, migrate, newDirectory, newEngine, open } from './fixtures/scene.ts'
import type { PgliteOptions } from './index.ts'
import { pglite } from './index.ts'

// Opening PGlite takes seconds, and many on a machine that has other things to do.
vi.setConfig({ testTimeout: 120_000 })

describe('a service that does not play fair', () => {
  test('a transaction that has gone quiet is rolled back after 30 s, and the others go on', async () => {
    const clock = new VirtualClock()
    const [database, other] = (await open({ thread: 'worker', clock }, 'orders', 'users')) as [Database, Database]
    await migrate(database, KEPT)
    const [begun, never] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const quiet = database.transaction('repeatable read', async (transaction) => {
      await transaction.query('insert into kept values (1)')
      begun.resolve()
      await never.promise
      await transaction.query('insert into kept values (2)')
    })
    await begun.promise
    const waiting = other.query<{ answer: number }>('select 42 as answer')
    await clock.advance('25s')
    let answered = false
    void waiting.then(() => (answered = true))
    await clock.advance('4s')
    expect(answered).toBe(false)
    await clock.advance('10s')
    expect((await waiting).rows).toEqual([{ answer: 42 }])
    never.resolve()
    const error = await failureOf(quiet)
    expect(error).toMatchObject({ kind: 'unavailable', sqlState: '25P03' })
    expect(await ids(database)).toEqual([])
  })

  test('its slow statement does not hold back what was committed for another before it', async () => {
    const [database, other] = (await open({ thread: 'worker' }, 'orders', 'users')) as [Database, Database]
    await migrate(database, KEPT)
    let isSlowAnswered = false
    const quick = database.query('insert into kept values (1)')
    const slow = other.query('select pg_sleep(0.5)').then(() => (isSlowAnswered = true))
    await quick
    await new Promise((resolve) => setImmediate(resolve))
    expect(isSlowAnswered).toBe(false)
    await slow
  })

  test('a transaction that works slowly, but works, is left alone', async () => {
    const clock = new VirtualClock()
    const [database] = (await open({ thread: 'worker', clock }, 'orders')) as [Database]
    await migrate(database, KEPT)
    await database.transaction('repeatable read', async (transaction) => {
      for (let id = 0; id < 5; id++) {
        await transaction.query('insert into kept values ($1)', [id])
        await clock.advance('20s')
      }
    })
    expect(await ids(database)).toHaveLength(5)
  })

  test('a statement without end is ended after a minute, and the others go on', async () => {
    const clock = new VirtualClock()
    const dataDir = await newDirectory()
    const [database, other] = (await open({ dataDir, clock }, 'orders', 'users')) as [Database, Database]
    const endless = failureOf(
      database.transaction('read committed', (transaction) => transaction.query('do $$ begin loop end loop; end $$')),
    )
    const waiting = other.query<{ answer: number }>('select 42 as answer')
    await clock.advance('55s')
    await clock.advance('30s')
    const error = await endless
    expect(error.kind).toBe('unavailable')
    expect(error.message).toContain('no answer for 60 s')
    expect((await waiting).rows).toEqual([{ answer: 42 }])
  })

  test('a migration may take its time', async () => {
    const clock = new VirtualClock()
    const [database] = (await open({ thread: 'worker', clock }, 'orders')) as [Database]
    const migration = migrate(database, `${KEPT}; select pg_sleep(0.3)`)
    await clock.advance('10m')
    await migration
    expect(await ids(database)).toEqual([])
  })
})

describe('threads', () => {
  async function turnsWhile(work: () => Promise<unknown>): Promise<number> {
    let turns = 0
    let done = false
    const count = (): void => {
      turns++
      if (!done) setImmediate(count)
    }
    setImmediate(count)
    await work()
    done = true
    return turns
  }

  test('a long statement in a worker does not stop this thread; in this thread it does', async () => {
    const [inWorker] = (await open({ thread: 'worker' }, 'orders')) as [Database]
    const [inMain] = (await open({ thread: 'main' }, 'orders')) as [Database]
    expect(await turnsWhile(() => inWorker.query('select pg_sleep(0.3)'))).toBeGreaterThan(100)
    expect(await turnsWhile(() => inMain.query('select pg_sleep(0.3)'))).toBeLessThan(10)
  })

  test('in this thread and in memory, once open, it needs nothing but promises: no timer, no turn of the event loop', async () => {
    const [database, other] = (await open({ thread: 'main' }, 'orders', 'users')) as [Database, Database]
    const turns = await turnsWhile(async () => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'setImmediate', 'Date', 'performance'] })
      try {
        await migrate(database, KEPT)
        await Promise.all([
          ...[1, 2, 3].map((id) =>
            database.transaction('serializable', (transaction) => transaction.query('insert into kept values ($1)', [id])),
          ),
          other.query('select 1'),
          failureOf(other.query('select * from nowhere')),
          database.ping(),
        ])
        expect(await ids(database)).toEqual([1, 2, 3])
        expect(vi.getTimerCount()).toBe(0)
      } finally {
        vi.useRealTimers()
      }
    })
    expect(turns).toBe(0)
  })

  test('the same work takes the same course', async () => {
    const course = async (): Promise<string[]> => {
      const databases = await open({ thread: 'main' }, 'orders', 'users', 'stock')
      const events: string[] = []
      for (const database of databases) await migrate(database, KEPT)
      await Promise.all(
        databases.flatMap((database, service) =>
          Array.from({ length: 10 }, async (_, id) => {
            await database.transaction('repeatable read', async (transaction) => {
              events.push(`${service}/${id} begins`)
              await transaction.query('insert into kept values ($1)', [id])
              events.push(`${service}/${id} inserted`)
            })
            events.push(`${service}/${id} committed`)
          }),
        ),
      )
      return events
    }
    const [first, second] = [await course(), await course()]
    expect(first).toHaveLength(90)
    expect(second).toEqual(first)
  })
})

describe('closing', () => {
  test.each<PgliteOptions>([{}, { dataDir: 'DIR' }, { dataDir: 'DIR', thread: 'main' }])(
    'the process ends by itself: %j',
    async (options) => {
      const dataDir = options.dataDir === undefined ? undefined : await newDirectory()
      const program = `
      import { pglite } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)}
      const engine = pglite(${JSON.stringify({ ...options, ...(dataDir === undefined ? {} : { dataDir }) })})
      const database = await engine.open({ service: 'orders', shared: true })
      await database.query('select 1')
      await engine.close()
      console.log('closed')`
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], { timeout: 100_000 })
      expect(stdout).toBe('closed\n')
      if (dataDir !== undefined) expect(await readdir(dataDir)).toEqual(['pgdata'])
    },
  )

  test('lets what was begun end, refuses what waits, and can be repeated', async () => {
    const engine = newEngine()
    const database = await engine.open({ service: 'orders', shared: true })
    await migrate(database, KEPT)
    const begun = Promise.withResolvers<void>()
    const transaction = database.transaction('read committed', async (inside) => {
      await inside.query('insert into kept values (1)')
      begun.resolve()
      for (let id = 2; id < 10; id++) await inside.query('insert into kept values ($1)', [id])
      return 'done'
    })
    await begun.promise
    const closing = Promise.all([engine.close(), engine.close()])
    const late = failureOf(database.query('select 1'))
    expect(await transaction).toBe('done')
    await closing
    expect(await late).toMatchObject({ kind: 'unavailable', message: 'PGlite in memory is closed' })
    await database.close()
    expect(await failureOf(engine.open({ service: 'users', shared: true }))).toMatchObject({ kind: 'unavailable' })
  })

  test('an engine that was never used closes at once', async () => {
    const dataDir = await newDirectory()
    await pglite({ dataDir: join(dataDir, 'never') }).close()
    expect(await readdir(dataDir)).toEqual([])
  })
})

test('built, it runs as well: the worker is found beside it', async () => {
  const packageRoot = fileURLToPath(new URL('..', import.meta.url))
  const built = join(packageRoot, '.cache', `built-${randomUUID()}`)
  onTestFinished(() => rm(built, { recursive: true, force: true }))
  const compiler = fileURLToPath(new URL('../../../node_modules/.bin/tsc', import.meta.url))
  const flags = '--noCheck --incremental false --composite false --declaration false --declarationMap false'.split(' ')
  await promisify(execFile)(compiler, ['--project', join(packageRoot, 'tsconfig.build.json'), '--outDir', built, ...flags])
  const program = `
    import { pglite } from ${JSON.stringify(join(built, 'index.js'))}
    const engine = pglite({ thread: 'worker' })
    const database = await engine.open({ service: 'orders', shared: true })
    console.log((await database.query('select 42 as answer')).rows[0].answer)
    await engine.close()`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
    timeout: 100_000,
    cwd: packageRoot,
  })
  expect(stdout).toBe('42\n')
})
