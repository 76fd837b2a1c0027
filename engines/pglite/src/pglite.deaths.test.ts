/** What is left when PGlite dies, and when the process does. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { access, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Database } from 'skerry/engine'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { failureOf, ids, KEPT, migrate, newDirectory, newEngine, open } from './fixtures/scene.ts'

// Opening PGlite takes seconds, and many on a machine that has other things to do.
vi.setConfig({ testTimeout: 120_000 })

/** Overflows the stack of PGlite, which then falls silent. */
const DEADLY = `create function deadly(n int4) returns int4 language plpgsql as $$ begin return deadly(n + 1); end $$`

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

describe.each(['worker', 'main'] as const)('on disk, %s thread', (thread) => {
  test('data is there when it is opened again, and nothing but data is left in between', async () => {
    const dataDir = await newDirectory()
    for (const id of [1, 2, 3]) {
      const engine = newEngine({ dataDir, thread })
      const database = await engine.open({ service: 'orders', shared: true })
      if (id === 1) await migrate(database, KEPT)
      await database.query('insert into kept values ($1)', [id])
      await engine.close()
      expect(await readdir(dataDir)).toEqual(['pgdata'])
    }
    const [database] = await open({ dataDir, thread }, 'orders')
    expect(await ids(database!)).toEqual([1, 2, 3])
  })

  test('a second engine in the same directory is refused, until the first is closed', async () => {
    const dataDir = await newDirectory()
    const first = newEngine({ dataDir, thread })
    await first.open({ service: 'orders', shared: true })
    const error = await failureOf(open({ dataDir, thread }, 'orders'))
    expect(error).toMatchObject({ kind: 'unavailable' })
    expect(error.message).toContain('This process itself')
    await first.close()
    await open({ dataDir, thread }, 'orders')
  })

  test('PGlite dies under a statement: that one and what waits get a clear error or run after it is back', async () => {
    const dataDir = await newDirectory()
    const [database, other] = (await open({ dataDir, thread }, 'orders', 'users')) as [Database, Database]
    await migrate(database, `${KEPT}; ${DEADLY}`)
    await migrate(other, KEPT)
    await database.query('insert into kept values (1)')
    const [died, waiting] = await Promise.allSettled([
      database.transaction('repeatable read', async (transaction) => {
        await transaction.query('insert into kept values (2)')
        await transaction.query('select deadly(1)')
      }),
      other.query('insert into kept values (7)'),
    ])
    expect(died).toMatchObject({ status: 'rejected', reason: { kind: 'unavailable', message: expect.stringContaining('has died') } })
    expect(waiting.status).toBe('fulfilled')
    expect(await ids(database)).toEqual([1])
    expect(await ids(other)).toEqual([7])
  })

  test('PGlite dies of COMMIT: the outcome is unknown', async () => {
    const dataDir = await newDirectory()
    const [database] = (await open({ dataDir, thread }, 'orders')) as [Database]
    await migrate(
      database,
      `${KEPT}; ${DEADLY};
       create function at_commit() returns trigger language plpgsql as $$ begin perform deadly(1); return null; end $$;
       create constraint trigger dies after insert on kept deferrable initially deferred for each row execute function at_commit()`,
    )
    const dying = database.transaction('repeatable read', (transaction) => transaction.query('insert into kept values (1)'))
    expect(await failureOf(dying)).toMatchObject({ kind: 'outcome-unknown' })
    expect(await failureOf(database.query('insert into kept values (2)'))).toMatchObject({ kind: 'outcome-unknown' })
    expect(await ids(database)).toEqual([])
  })
})

test('in memory, PGlite that dies is gone, and says so', async () => {
  const [database] = (await open({}, 'orders')) as [Database]
  await migrate(database, DEADLY)
  expect(await failureOf(database.query('select deadly(1)'))).toMatchObject({ kind: 'outcome-unknown' })
  const error = await failureOf(database.query('select 1'))
  expect(error.kind).toBe('unavailable')
  expect(error.message).toMatch(/has died.*in memory and is lost/)
})

test('COPY FROM STDIN, which would kill it, is refused', async () => {
  const [database] = (await open({}, 'orders')) as [Database]
  await migrate(database, KEPT)
  expect(await failureOf(database.query('copy kept from stdin'))).toMatchObject({ kind: 'statement', sqlState: '0A000' })
  expect(await failureOf(migrate(database, 'select 1; COPY kept (id) FROM STDIN;'))).toMatchObject({ kind: 'statement', sqlState: '0A000' })
  expect(await ids(database)).toEqual([])
})

describe('a process that is killed', () => {
  function startWriter(dataDir: string): { child: ChildProcess; acknowledged: () => number; kill: () => Promise<void> } {
    const child = spawn(process.execPath, [new URL('./fixtures/writer.ts', import.meta.url).pathname, dataDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    let output = ''
    child.stdout.on('data', (bytes) => (output += String(bytes)))
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    const drained = new Promise<void>((resolve) => child.stdout.once('close', () => resolve()))
    return {
      child,
      acknowledged: () => Number(output.trimEnd().split('\n').at(-1)),
      async kill() {
        child.kill('SIGKILL')
        await Promise.all([ended, drained])
      },
    }
  }

  test('while writing, again and again: every acknowledged row is there, whole, and at most one more', async () => {
    const dataDir = await newDirectory()
    let before = 0
    for (let kill = 1; kill <= 4; kill++) {
      const writer = startWriter(dataDir)
      await expect.poll(writer.acknowledged, { timeout: 100_000 }).toBeGreaterThan(before + 40 * kill)
      await writer.kill()
      const acknowledged = writer.acknowledged()

      const engine = newEngine({ dataDir })
      const database = await engine.open({ service: 'writer', shared: true })
      const { rows } = await database.query(
        'select count(*) as count, min(id) as first, max(id) as last, bool_and(length(t) = id % 3000) as whole from kept',
      )
      const last = rows[0]!['last'] as number
      expect(rows).toEqual([{ count: last, first: 1, last, whole: true }])
      expect(last).toBeGreaterThanOrEqual(acknowledged)
      expect(last).toBeLessThanOrEqual(acknowledged + 1)
      await engine.close()
      before = last
    }
  })

  test('while its database is first made: it is made anew', async () => {
    const dataDir = await newDirectory()
    const writer = startWriter(dataDir)
    await expect.poll(() => exists(join(dataDir, 'pgdata', 'PG_VERSION')), { timeout: 100_000, interval: 1 }).toBe(true)
    await writer.kill()
    expect(await readdir(dataDir)).toContain('pgdata.unfinished')
    // Whatever it had come to: this file at least was not there yet.
    await rm(join(dataDir, 'pgdata', 'global', 'pg_control'), { force: true })
    const [database] = (await open({ dataDir }, 'writer')) as [Database]
    await migrate(database, KEPT)
    expect(await ids(database)).toEqual([])
    expect((await readdir(dataDir)).toSorted()).toEqual(['lock', 'pgdata'])
  })

  test('while it lives, another process is refused by name', async () => {
    const dataDir = await newDirectory()
    const writer = startWriter(dataDir)
    await expect.poll(writer.acknowledged, { timeout: 100_000 }).toBeGreaterThan(0)
    const error = await failureOf(open({ dataDir }, 'writer'))
    expect(error.message).toMatch(new RegExp(`^Process ${writer.child.pid} \\(.*writer\\.ts\\) has had this directory open`))
    await writer.kill()
  })
})
