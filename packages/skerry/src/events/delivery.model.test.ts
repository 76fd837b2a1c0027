/**
 * Relay and inbox as pure machines in an unkind world: a broker that loses, repeats and reorders, relays and consumers that
 * die between any two steps and share their work with others. What may happen is drawn at random; what must hold is that every event
 * that was committed is handled once, in the order of its key.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../base/random.ts'
import type { PublishOutcome } from '../engine/broker.ts'
import type { Cursor } from './inbox.ts'
import { afterFailure, arrival, CLOCK_DOUBT_MS } from './inbox.ts'
import type { OutboxRow } from './relay.ts'
import { confirmation, Relay, RELAY_DEFAULTS } from './relay.ts'

interface Event extends OutboxRow {
  readonly sequence: number
  readonly previousAtMs: number | undefined
}

interface Kept {
  readonly event: Event
  reason: 'early' | 'retry'
  attempts: number
  firstSeenMs: number
}

interface RunningRelay {
  decisions: Relay
  batches: (readonly Event[])[]
}

const KEYS = ['a', 'b', 'c']
const CLAIM_ROWS = 4

/** One service's outbox and another one's inbox, with everything between them. Every method is one step that happens whole or not at all. */
class World {
  nowMs = 1_000_000
  readonly relays: RunningRelay[] = [
    { decisions: new Relay(), batches: [] },
    { decisions: new Relay(), batches: [] },
  ]
  /** The consumer's part, as its database holds it. */
  readonly cursors = new Map<string, Cursor>()
  readonly kept = new Map<number, Kept>()
  readonly dead = new Map<number, 'exhausted' | 'overtaken'>()
  readonly handled: Event[] = []
  subscribedSinceMs: number | undefined
  readonly routed = new Set<Event>()
  #nextId = 1
  readonly #heads = new Map<string, { sequence: number; atMs: number }>()
  #outbox: Event[] = []
  /** In no order. */
  #broker: Event[] = []

  get pending(): number {
    return this.#outbox.length + this.#broker.length + this.relays.reduce((sum, { batches }) => sum + batches.length, 0)
  }

  get inBroker(): number {
    return this.#broker.length
  }

  subscribe(): void {
    this.subscribedSinceMs ??= this.nowMs
  }

  commit(key: string, count: number): readonly Event[] {
    const events = Array.from({ length: count }, () => {
      const head = this.#heads.get(key)
      const event = { id: this.#nextId++, topic: 'orders', key, sequence: (head?.sequence ?? 0) + 1, previousAtMs: head?.atMs }
      this.#heads.set(key, { sequence: event.sequence, atMs: this.nowMs })
      return event
    })
    this.#outbox.push(...events)
    return events
  }

  claim(relay: RunningRelay): void {
    const parked = relay.decisions.parkedKeys(this.nowMs)
    const rows = this.#outbox.filter(({ key }) => !parked.includes(key)).slice(0, CLAIM_ROWS + relay.decisions.inFlightRows)
    this.send(relay, rows)
    relay.decisions.forgetAbsent(this.nowMs)
  }

  send(relay: RunningRelay, rows: readonly Event[]): void {
    const decision = relay.decisions.claim(rows, this.nowMs)
    relay.batches.push(...(decision.batches as Event[][]))
  }

  /** The broker answers for a batch: each message arrives or not, and is confirmed or not; one that did not arrive never is. */
  answer(relay: RunningRelay, index: number, fates: readonly Fate[]): void {
    const [batch] = relay.batches.splice(index, 1)
    const outcomes = batch!.map((event, place) => this.#carry(event, fates[place % fates.length]!))
    const outcome = confirmation(batch!, outcomes, true)
    this.#outbox = this.#outbox.filter(({ id }) => !outcome.done.includes(id))
    relay.decisions.settle(batch!, outcome, this.nowMs)
  }

  #carry(event: Event, fate: Fate): PublishOutcome {
    if (fate !== 'lost' && this.subscribedSinceMs !== undefined) {
      this.#broker.push(event)
      this.routed.add(event)
    }
    return fate === 'confirmed' ? { kind: 'confirmed' } : { kind: 'failed', reason: fate }
  }

  /** What had been sent may have arrived or not. */
  crash(relay: RunningRelay, fate: Fate): void {
    for (const batch of relay.batches) for (const event of batch) this.#carry(event, fate)
    relay.decisions = new Relay()
    relay.batches = []
  }

  deliver(index: number, outcome: HandlerOutcome, again: boolean): void {
    const place = index % this.#broker.length
    const event = this.#broker[place]!
    const recorded = this.#handle(event, { attempts: 1, firstSeenMs: this.nowMs, kept: false }, outcome)
    if (recorded && !again) this.#broker.splice(place, 1)
  }

  resume(index: number, outcome: HandlerOutcome): void {
    const kept = [...this.kept.values()][index % this.kept.size]!
    if (kept.reason === 'retry') kept.attempts++
    this.#handle(kept.event, { attempts: kept.attempts, firstSeenMs: kept.firstSeenMs, kept: true }, outcome)
  }

  /** As one transaction. False: it came to nothing, and whoever brought the event still has it. */
  #handle(event: Event, tries: { attempts: number; firstSeenMs: number; kept: boolean }, outcome: HandlerOutcome): boolean {
    const cursor = this.cursors.get(event.key)
    const isEarlier = (other: Event): boolean =>
      other.key === event.key && other.sequence > (cursor?.sequence ?? 0) && other.sequence < event.sequence
    const earlierIsHere =
      [...this.kept.values()].some((kept) => isEarlier(kept.event)) || [...this.dead.keys()].some((id) => isEarlier(this.#find(id)))
    const facts = {
      cursor,
      sequence: event.sequence,
      previousAtMs: event.previousAtMs,
      subscribedSinceMs: this.subscribedSinceMs,
      earlierIsHere,
      firstSeenMs: tries.firstSeenMs,
    }
    const verdict = arrival(facts, this.nowMs)
    if (outcome === 'crash') return false
    if (verdict === 'early') this.#keep(event, 'early', tries)
    else if (verdict === 'overtaken') this.#bury(event, 'overtaken')
    else if (verdict === 'duplicate') this.kept.delete(event.id)
    else if (outcome === 'fail') {
      const next = afterFailure(
        'transient',
        tries.attempts,
        0,
        this.nowMs,
        { ...seededRandom(1), next: () => 0 },
        { maxAttempts: 1_000, minBackoffMs: 1, maxBackoffMs: 1 },
      )
      if ('deadLetter' in next) throw new Error('so many failures in a row cannot be drawn')
      this.#keep(event, 'retry', tries)
    } else {
      this.cursors.set(event.key, { sequence: event.sequence, began: verdict === 'begin' ? event.sequence : (cursor?.began ?? 1) })
      this.kept.delete(event.id)
      this.handled.push(event)
    }
    return true
  }

  #keep(event: Event, reason: Kept['reason'], tries: { attempts: number; firstSeenMs: number }): void {
    const before = this.kept.get(event.id)
    this.kept.set(event.id, {
      event,
      reason,
      attempts: Math.max(tries.attempts, before?.attempts ?? 0),
      firstSeenMs: before?.firstSeenMs ?? tries.firstSeenMs,
    })
  }

  #bury(event: Event, cause: 'overtaken'): void {
    this.dead.set(event.id, cause)
    this.kept.delete(event.id)
  }

  #find(id: number): Event {
    return [...this.routed].find((event) => event.id === id)!
  }

  /** From now on nothing goes wrong: everything that can still happen does. */
  settle(): void {
    for (let round = 0; round < 200; round++) {
      this.nowMs += RELAY_DEFAULTS.maxBackoffMs
      for (const relay of this.relays) {
        relay.decisions.unpark()
        while (relay.batches.length > 0) this.answer(relay, 0, ['confirmed'])
        this.claim(relay)
      }
      while (this.#broker.length > 0) this.deliver(0, 'succeed', false)
      for (let index = 0; index < this.kept.size; index++) this.resume(index, 'succeed')
      if (this.pending === 0 && this.kept.size === 0) return
    }
    throw new Error(`The world did not come to rest: ${JSON.stringify({ pending: this.pending, kept: [...this.kept.values()] })}`)
  }
}

type Fate = 'confirmed' | 'unconfirmed' | 'lost'
type HandlerOutcome = 'succeed' | 'fail' | 'crash'

const fate = fc.constantFrom<Fate[]>('confirmed', 'confirmed', 'unconfirmed', 'lost')
const outcome = fc.constantFrom<HandlerOutcome[]>('succeed', 'succeed', 'fail', 'crash')
const index = fc.nat(30)
const which = fc.nat(1)

type Step = (world: World) => void
const step: fc.Arbitrary<Step> = fc.oneof(
  fc
    .record({ key: fc.constantFrom(...KEYS), count: fc.integer({ min: 1, max: 3 }), relay: fc.option(which) })
    .map(({ key, count, relay }): Step => (world) => {
      const events = world.commit(key, count)
      if (relay !== null) world.send(world.relays[relay]!, events)
    }),
  which.map(
    (relay): Step =>
      (world) =>
        world.claim(world.relays[relay]!),
  ),
  fc
    .record({ relay: which, index, fates: fc.array(fate, { minLength: 1, maxLength: 3 }) })
    .map(({ relay, index, fates }): Step => (world) => {
      const { batches } = world.relays[relay]!
      if (batches.length > 0) world.answer(world.relays[relay]!, index % batches.length, fates)
    }),
  fc.record({ relay: which, fate }).map(
    ({ relay, fate }): Step =>
      (world) =>
        world.crash(world.relays[relay]!, fate),
  ),
  fc.record({ index, outcome, again: fc.boolean() }).map(({ index, outcome, again }): Step => (world) => {
    if (world.inBroker > 0) world.deliver(index, outcome, again)
  }),
  fc.record({ index, outcome }).map(({ index, outcome }): Step => (world) => {
    if (world.kept.size > 0) world.resume(index, outcome)
  }),
  fc.integer({ min: 1, max: 40_000 }).map(
    (ms): Step =>
      (world) =>
        void (world.nowMs += ms),
  ),
)
const steps = fc.array(step, { maxLength: 120, size: 'max' })

function sequencesOf(events: Iterable<Event>, key: string): number[] {
  return [...events].filter((event) => event.key === key).map((event) => event.sequence)
}

describe('relay and inbox', () => {
  it('handle every committed event once and in the order of its key, whatever happens between them', () => {
    fc.assert(
      fc.property(steps, (schedule) => {
        const world = new World()
        world.subscribe()
        // Nothing is made in the first minute, in which clocks that differ leave room for doubt.
        world.nowMs += CLOCK_DOUBT_MS
        for (const happen of schedule) happen(world)
        const last = new Map(KEYS.map((key) => [key, world.commit(key, 1)[0]!.sequence]))
        world.settle()
        for (const key of KEYS)
          expect(sequencesOf(world.handled, key)).toEqual(Array.from({ length: last.get(key)! }, (_, place) => place + 1))
        expect(world.dead.size).toBe(0)
      }),
      { numRuns: 2_000 },
    )
  })

  it('lose nothing that reached the queue of a consumer that joined in the middle, and keep its order', () => {
    fc.assert(
      fc.property(steps, fc.nat(60), (schedule, joinsAt) => {
        const world = new World()
        for (const [place, happen] of schedule.entries()) {
          if (place === joinsAt) world.subscribe()
          happen(world)
        }
        world.subscribe()
        for (const key of KEYS) world.commit(key, 2)
        world.settle()
        for (const key of KEYS) {
          const sequences = sequencesOf(world.handled, key)
          expect(sequences).toEqual(sequences.toSorted((a, b) => a - b))
          expect(new Set(sequences).size).toBe(sequences.length)
        }
        const accountedFor = new Set([...world.handled.map(({ id }) => id), ...world.dead.keys()])
        for (const { id } of world.routed) expect(accountedFor).toContain(id)
      }),
      { numRuns: 2_000 },
    )
  })
})
