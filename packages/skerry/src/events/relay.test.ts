import { describe, expect, it } from 'vitest'
import type { PublishOutcome } from '../engine/broker.ts'
import type { OutboxRow } from './relay.ts'
import { confirmation, Relay } from './relay.ts'

const row = (id: number, key: string, topic = 'orders'): OutboxRow => ({ id, topic, key })
const a1 = row(1, 'a')
const a2 = row(2, 'a')
const b3 = row(3, 'b')
const a4 = row(4, 'a')

const confirmed: PublishOutcome = { kind: 'confirmed' }
const unroutable: PublishOutcome = { kind: 'unroutable' }
const failed: PublishOutcome = { kind: 'failed', reason: 'down' }

const DONE = { done: [], failure: undefined }
const DOWN = { done: [], failure: 'down' }

/** A relay whose keys have failed so often, one time after the other, at these times. */
function failing(failures: Record<string, readonly number[]>): Relay {
  const relay = new Relay({ maxInFlight: 5, minBackoffMs: 100, maxBackoffMs: 1_000 })
  for (const [key, times] of Object.entries(failures))
    for (const atMs of times) {
      relay.unpark()
      relay.claim([row(1, key)], atMs)
      relay.settle([row(1, key)], DOWN, atMs)
    }
  return relay
}

describe('claiming', () => {
  it('makes one batch of each key, in the order of the ids', () => {
    const relay = new Relay()
    expect(relay.claim([a1, a2, b3, a4], 0)).toEqual({ batches: [[a1, a2, a4], [b3]], skipped: false })
    expect(relay.inFlightRows).toBe(4)
  })

  it('leaves a key alone that is on its way, and says when rows must be looked for again', () => {
    const relay = new Relay()
    relay.claim([a1, a2], 0)
    expect(relay.claim([a1, a2], 0)).toEqual({ batches: [], skipped: false })
    expect(relay.claim([a1, a2, b3, a4], 0)).toEqual({ batches: [[b3]], skipped: true })
  })

  it('leaves a parked key alone until its time has come', () => {
    const relay = failing({ a: [0] })
    expect(relay.claim([a1, b3], 99).batches).toEqual([[b3]])
    expect(relay.claim([a1, b3], 100).batches).toEqual([[a1]])
  })

  it('keeps apart equal keys of different topics', () => {
    expect(new Relay().claim([a1, row(2, 'a', 'payments')], 0).batches).toHaveLength(2)
  })

  it('says when as much is on its way as may be', () => {
    const relay = failing({})
    relay.claim([a1, a2, b3, a4], 0)
    expect(relay.isFull).toBe(false)
    relay.claim([row(5, 'c')], 0)
    expect(relay.isFull).toBe(true)
    relay.settle([b3], DONE, 0)
    expect(relay.isFull).toBe(false)
  })
})

describe('confirmation', () => {
  it.each<[string, PublishOutcome[], boolean, number[], string | undefined]>([
    ['all confirmed', [confirmed, confirmed, confirmed], true, [1, 2, 4], undefined],
    ['the first failed: what was confirmed behind it is published again, behind it', [failed, confirmed, confirmed], true, [], 'down'],
    ['one in the middle failed', [confirmed, failed, confirmed], true, [1], 'down'],
    [
      'unroutable although someone should consume it',
      [confirmed, unroutable, confirmed],
      true,
      [1],
      'no queue takes it, although the system declares a consumer of its topic',
    ],
    ['unroutable, and nobody consumes it', [confirmed, unroutable, confirmed], false, [1, 2, 4], undefined],
    ['unroutable, nobody consumes it, and the next failed', [unroutable, unroutable, failed], false, [1, 2], 'down'],
  ])('%s', (_what, outcomes, hasConsumers, done, failure) => {
    expect(confirmation([a1, a2, a4], outcomes, hasConsumers)).toEqual({ done, failure })
  })
})

describe('settling', () => {
  it('frees the key when all is done, and forgets its failures', () => {
    const relay = failing({ a: [0, 0, 0] })
    relay.unpark()
    relay.claim([a1, a2, b3], 60)
    relay.settle([a1, a2], { done: [1, 2], failure: undefined }, 60)
    expect(relay.inFlightRows).toBe(1)
    relay.claim([a4], 60)
    relay.settle([a4], DOWN, 60)
    expect(relay.nextRetryMs).toBe(160)
  })

  it('parks the key for twice as long after each failure, up to a bound', () => {
    const waits = [1, 2, 3, 4, 5, 6, 7].map((failures) => failing({ a: Array.from({ length: failures }, () => 0) }).nextRetryMs)
    expect(waits).toEqual([100, 200, 400, 800, 1_000, 1_000, 1_000])
    expect(failing({ a: [0] }).inFlightRows).toBe(0)
  })

  it('starts over with short waits when at least something was confirmed', () => {
    const relay = failing({ a: [0, 0, 0, 0] })
    relay.unpark()
    relay.claim([a1, a2], 0)
    relay.settle([a1, a2], { done: [1], failure: 'down' }, 0)
    expect(relay.nextRetryMs).toBe(100)
  })
})

describe('parked keys', () => {
  it('are not read until their time has come', () => {
    const relay = failing({ a: [0], b: [100] })
    relay.claim([a1], 100)
    relay.settle([a1], DOWN, 100)
    expect(relay.parkedKeys(199)).toEqual(['a', 'b'])
    expect(relay.parkedKeys(200)).toEqual(['a'])
  })

  it('say when to look again, but for those that are being tried', () => {
    const relay = failing({ b: [100], a: [0] })
    expect(new Relay().nextRetryMs).toBeUndefined()
    relay.claim([a1], 100)
    expect(relay.nextRetryMs).toBe(0)
  })

  it('may all be tried at once when the broker has come back, and remember how often they failed', () => {
    const relay = failing({ a: [0], b: [0, 0] })
    relay.unpark()
    expect(relay.parkedKeys(0)).toEqual([])
    relay.claim([b3], 0)
    relay.settle([b3], DOWN, 0)
    expect(relay.nextRetryMs).toBe(0)
    relay.forgetAbsent(0)
    expect(relay.nextRetryMs).toBe(400)
  })

  it('are forgotten when their time has come and nothing of theirs was left', () => {
    const relay = failing({ b: [100], a: [100] })
    relay.unpark()
    relay.claim([a1], 150)
    relay.forgetAbsent(150)
    relay.settle([a1], DOWN, 150)
    // The third failure of a in a row; b's first failure is forgotten.
    expect(relay.parkedKeys(150)).toEqual(['a'])
    relay.claim([b3], 150)
    relay.settle([b3], DOWN, 150)
    expect(relay.nextRetryMs).toBe(250)
  })
})
