/** Hosts whose clocks disagree, or jump by hours: what is done is done once, and what came before what is not read off a clock. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { contract, event } from '../contract/index.ts'
import type { Saga } from './definition.ts'
import { declareSaga } from './definition.ts'
import type { Hosts } from './fixtures/hosts.ts'
import { openHosts } from './fixtures/hosts.ts'

const HOUR_MS = 3_600_000
const { events } = contract('stock', {
  version: '1.0.0',
  operations: {},
  events: { picked: event(z.object({ id: z.string() }), { key: 'id' }) },
})
const TYPE = events.picked.type
const declare = (name = 'checkout') => declareSaga<z.ZodObject, unknown, unknown>('shop', name, { input: z.object({}) })
const waiting = (): Saga => declare().waitFor('picked', events.picked, { key: () => 'a', timeout: '2h' }) as Saga

/** Lets time pass, second by second, until the sagas stand so. */
async function until(hosts: Hosts, expected: readonly string[], seconds = 60): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await hosts.database.ping()
    if (JSON.stringify(await hosts.statuses()) === JSON.stringify(expected)) return
    await hosts.passing.advance(1_000)
  }
  expect(await hosts.statuses()).toEqual(expected)
}
const waits = async ({ database, passing }: Hosts): Promise<void> => {
  for (let second = 0; second < 20; second++) {
    const { rows } = await database.query(`select from skerry_saga where wait_type is not null`)
    if (rows.length > 0) return
    await passing.advance(1_000)
  }
  throw new Error('no saga waits')
}

describe('an event', () => {
  test('that comes after the start counts, also by a clock that is behind', async () => {
    await using hosts = await openHosts()
    const saga = waiting()
    await hosts.host([saga], { offMs: HOUR_MS, works: false }).start('a')
    await hosts.host([saga], { offMs: -HOUR_MS, works: false }).arrive(TYPE, 'a', 'e1')
    hosts.host([saga], { offMs: HOUR_MS })
    await until(hosts, ['completed'], 20)
  })

  test('that came before the start does not, also by a clock that is ahead', async () => {
    await using hosts = await openHosts()
    const saga = waiting()
    await hosts.host([saga], { offMs: HOUR_MS, works: false }).arrive(TYPE, 'a', 'e1')
    const host = hosts.host([saga])
    await host.start('a')
    await waits(hosts)
    await until(hosts, ['running'], 1)
    await host.arrive(TYPE, 'a', 'e2')
    await until(hosts, ['completed'], 20)
    const { rows } = await hosts.database.query<{ state: string }>(`select state from skerry_saga_step where step = 'picked'`)
    expect(rows[0]!.state).toContain('e2')
  })

  test('of a host whose clock is ahead is looked at at once', async () => {
    await using hosts = await openHosts()
    const saga = waiting()
    await hosts.host([saga]).start('a')
    await waits(hosts)
    await hosts.passing.advance(40_000)
    await hosts.host([saga], { offMs: HOUR_MS, works: false }).arrive(TYPE, 'a', 'e1')
    await until(hosts, ['completed'], 5)
  })

  test('that was committed long after the wait began, by a transaction that began before it, is found before the timeout', async () => {
    await using hosts = await openHosts()
    const saga = waiting()
    await hosts.host([saga]).start('a')
    await waits(hosts)
    await hosts.passing.advance(120_000)
    // As such a transaction leaves it: it did not see the wait, so it woke nobody.
    await hosts.database.query(
      `insert into skerry_saga_event (type, key, message_id, data, at) values ($1, 'a', 'e1', '{"id":"e1"}', $2)`,
      [TYPE, hosts.passing.now()],
    )
    await until(hosts, ['completed'], 130)
  })
})

test('a cancel by a host whose clock is ahead takes effect at once', async () => {
  await using hosts = await openHosts()
  const saga = waiting()
  await hosts.host([saga]).start('a')
  await waits(hosts)
  expect(await hosts.host([saga], { offMs: HOUR_MS, works: false }).cancel(saga, { key: 'a' })).toBe('cancelling')
  await until(hosts, ['compensated'], 5)
})

test('what a host whose clock is ahead gives back when it stops is taken up at once', async () => {
  await using hosts = await openHosts()
  let letRun: (() => void) | undefined
  const saga = declare()
    .step('one', { run: () => new Promise<void>((resolve) => (letRun = resolve)) })
    .step('two', { run: async () => undefined }) as Saga
  const ahead = hosts.host([saga], { offMs: HOUR_MS })
  await ahead.start('a')
  await expect.poll(() => letRun).toBeDefined()
  const stopped = ahead.sagas.worker.stop()
  letRun!()
  await stopped
  hosts.host([saga])
  await until(hosts, ['completed'], 5)
})

describe('a clock that jumps', () => {
  test('forward makes a host think another one dead: both work on it, and what the first one still writes is refused', async () => {
    await using hosts = await openHosts()
    const runs: (() => void)[] = []
    const ends: string[] = []
    const saga = declare()
      .step('slow', { run: () => new Promise<void>((resolve) => runs.push(resolve)), timeout: '1h' })
      .local('note', { run: async () => void ends.push('note') }) as Saga
    const one = hosts.host([saga])
    const other = hosts.host([saga])
    await one.start('a')
    await expect.poll(() => runs.length).toBe(1)
    other.clock.jump(5 * HOUR_MS)
    await hosts.passing.advance(1_500)
    await expect.poll(() => runs.length).toBe(2)
    runs[0]!()
    await expect.poll(() => one.sagas.worker.idle).toBe(true)
    expect(ends).toEqual([])
    runs[1]!()
    await until(hosts, ['completed'], 5)
    expect(ends).toEqual(['note'])
  })

  test('back lets a host keep what it works on, and its events still wake what waits', async () => {
    await using hosts = await openHosts()
    const saga = waiting()
    const host = hosts.host([saga])
    await host.start('a')
    await waits(hosts)
    host.clock.jump(-5 * HOUR_MS)
    await host.arrive(TYPE, 'a', 'e1')
    await until(hosts, ['completed'], 5)
  })

  test('forward over the end of a wait undoes it once, and back over it again does nothing more', async () => {
    await using hosts = await openHosts()
    const undone: string[] = []
    const saga = declare()
      .step('first', { run: async () => 1, undo: async () => void undone.push('first') })
      .waitFor('picked', events.picked, { key: () => 'a', timeout: '2h' }) as Saga
    const host = hosts.host([saga])
    await host.start('a')
    await waits(hosts)
    host.clock.jump(5 * HOUR_MS)
    await until(hosts, ['compensated'], 5)
    host.clock.jump(-5 * HOUR_MS)
    await host.arrive(TYPE, 'a', 'e1')
    await until(hosts, ['compensated'], 5)
    expect(undone).toEqual(['first'])
  })
})

test('a saga cannot be cancelled by the id of another one', async () => {
  await using hosts = await openHosts()
  const checkout = declare().waitFor('picked', events.picked, { key: () => 'a', timeout: '2h' }) as Saga
  const refund = declare('refund').waitFor('picked', events.picked, { key: () => 'a', timeout: '2h' }) as Saga
  const host = hosts.host([checkout, refund])
  const id = await host.start('a')
  expect(await host.cancel(refund, { id })).toBe('unknown')
  await waits(hosts)
  await until(hosts, ['running'], 1)
  expect(await host.cancel(checkout, { id })).toBe('cancelling')
  await until(hosts, ['compensated'], 5)
  expect(await host.cancel(refund, { id })).toBe('unknown')
})
