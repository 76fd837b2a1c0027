import { describe, expect, it } from 'vitest'
import type { PublishOutcome } from '../engine/broker.ts'
import type { OutboxRow, RelayState } from './relay.ts'
import { claimed, confirmation, forgetAbsent, IDLE, nextRetryMs, parkedKeys, RELAY_DEFAULTS, settled, unpark } from './relay.ts'

const row = (id: number, key: string, topic = 'orders'): OutboxRow => ({ id, topic, key })
const a1 = row(1, 'a')
const a2 = row(2, 'a')
const b3 = row(3, 'b')
const a4 = row(4, 'a')

const confirmed: PublishOutcome = { kind: 'confirmed' }
const unroutable: PublishOutcome = { kind: 'unroutable' }
const failed: PublishOutcome = { kind: 'failed', reason: 'down' }

/** A state in which these batches are on their way and these keys are parked until the given times. */
function state(batches: readonly (readonly OutboxRow[])[], parked: Record<string, { attempts: number; untilMs: number }> = {}): RelayState {
  return {
    inFlight: new Map(batches.map((batch) => [`orders\n${batch[0]!.key}`, batch])),
    inFlightRows: batches.flat().length,
    parked: new Map(Object.entries(parked).map(([key, park]) => [`orders\n${key}`, park])),
  }
}

describe('claimed', () => {
  it('makes one batch of each key, in the order of the ids', () => {
    const { batches, state: next, skipped } = claimed(IDLE, [a1, a2, b3, a4], 0)
    expect(batches).toEqual([[a1, a2, a4], [b3]])
    expect(next).toEqual(state([[a1, a2, a4], [b3]]))
    expect(skipped).toBe(false)
  })

  it('leaves a key alone that is on its way, and says when rows must be looked for again', () => {
    const before = state([[a1, a2]])
    expect(claimed(before, [a1, a2], 0)).toEqual({ state: before, batches: [], skipped: false })
    expect(claimed(before, [a1, a2, b3, a4], 0)).toEqual({ state: state([[a1, a2], [b3]]), batches: [[b3]], skipped: true })
  })

  it('leaves a parked key alone until its time has come', () => {
    const before = state([], { a: { attempts: 1, untilMs: 100 } })
    expect(claimed(before, [a1, b3], 99).batches).toEqual([[b3]])
    expect(claimed(before, [a1, b3], 100).batches).toEqual([[a1], [b3]])
  })

  it('keeps apart equal keys of different topics', () => {
    expect(claimed(IDLE, [a1, row(2, 'a', 'payments')], 0).batches).toHaveLength(2)
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

describe('settled', () => {
  const settings = { ...RELAY_DEFAULTS, minBackoffMs: 100, maxBackoffMs: 1_000 }

  it('frees the key when all is done, and forgets its failures', () => {
    const before = state([[a1, a2], [b3]], { a: { attempts: 3, untilMs: 50 } })
    expect(settled(before, [a1, a2], { done: [1, 2], failure: undefined }, 60, settings)).toEqual(state([[b3]]))
  })

  it('parks the key for twice as long after each failure, up to a bound', () => {
    let current = IDLE
    const waits: number[] = []
    for (let attempt = 1; attempt <= 7; attempt++) {
      current = claimed(current, [a1], 1_000_000).state
      current = settled(current, [a1], { done: [], failure: 'down' }, 0, settings)
      waits.push(nextRetryMs(current)!)
    }
    expect(waits).toEqual([100, 200, 400, 800, 1_000, 1_000, 1_000])
    expect(current.inFlightRows).toBe(0)
  })

  it('starts over with short waits when at least something was confirmed', () => {
    const before = state([[a1, a2]], { a: { attempts: 5, untilMs: 0 } })
    expect(settled(before, [a1, a2], { done: [1], failure: 'down' }, 0, settings).parked).toEqual(
      new Map([['orders\na', { attempts: 1, untilMs: 100 }]]),
    )
  })
})

describe('parked keys', () => {
  const parked = { a: { attempts: 1, untilMs: 100 }, b: { attempts: 2, untilMs: 200 } }

  it('are not read until their time has come', () => {
    expect(parkedKeys(state([], parked), 99)).toEqual(['a', 'b'])
    expect(parkedKeys(state([], parked), 100)).toEqual(['b'])
  })

  it('say when to look again, but for those that are being tried', () => {
    expect(nextRetryMs(state([], parked))).toBe(100)
    expect(nextRetryMs(state([[a1]], parked))).toBe(200)
    expect(nextRetryMs(IDLE)).toBeUndefined()
  })

  it('may all be tried at once when the broker has come back, and remember how often they failed', () => {
    const free = unpark(state([], parked))
    expect(parkedKeys(free, 0)).toEqual([])
    expect(free.parked.get('orders\nb')!.attempts).toBe(2)
  })

  it('are forgotten when their time has come and nothing of theirs was left', () => {
    const before = state([[a1]], { ...parked, c: { attempts: 1, untilMs: 150 } })
    expect([...forgetAbsent(before, 150).parked.keys()]).toEqual(['orders\na', 'orders\nb'])
    expect(forgetAbsent(before, 120)).toBe(before)
  })
})
