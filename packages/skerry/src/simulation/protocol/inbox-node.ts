/**
 * A consumer at work, as `events/inbox-worker.ts` and `events/consumer.ts`: what is in which transaction, what is counted when, and what
 * brings along what waits. Left out is what only saves time or shares it out: shared transactions, the renewal of claims, limits on how
 * much is handled at once, and that suspects are handled alone.
 */
import { Alarm } from '../../base/alarm.ts'
import type { FailureKind, RetrySettings } from '../../events/inbox.ts'
import type { QueueModel, Parcel } from './broker-model.ts'
import type { InboxChecks } from './checks.ts'
import type { ProtocolEngines } from './engines.ts'
import type { ModelEvent } from './event.ts'
import type { Ended, Host } from './host.ts'
import type { InboxTable, KeptRow, KeyPlace, Until } from './inbox-table.ts'
import { bury, drop, earlyAtMs, findNext, hasEarlier, recheckLater } from './inbox-table.ts'

/** As in `inbox-worker.ts` and `consumer.ts`. */
const CLAIM_MS = 15_000
const NEXT_OF_KEY_MS = 1_000
const IDLE_POLL_MS = 5_000
const DB_MS = { min: 1, max: 8 }

interface Tries {
  readonly attempts: number
  readonly deferrals: number
  readonly firstSeenMs: number
  readonly kept: boolean
  readonly counted: boolean
}

/** True: it is recorded. */
type Done = (recorded: boolean) => void

export interface InboxNodeOptions {
  readonly table: InboxTable
  readonly queue: QueueModel
  readonly engines: ProtocolEngines
  readonly checks: InboxChecks
  readonly retry: RetrySettings
  /** No other process has the database open. */
  readonly exclusive: boolean
  readonly subscribedSinceMs: number
  /** What handling an event emits: writes it in the transaction, and gives what is to be done once that is committed. */
  readonly emit: (event: ModelEvent) => ((ended: Ended) => void) | undefined
}

export class InboxNode {
  readonly host: Host
  readonly #options: InboxNodeOptions
  readonly #alarm: Alarm
  /** Work in progress or waiting, by the key's place: of each key one at a time. */
  readonly #byKey: ((() => void)[] | undefined)[] = []
  readonly #keysWithEarly = new Set<KeyPlace>()
  #pumping = false
  #wakeAgain = false

  constructor(host: Host, options: InboxNodeOptions) {
    this.host = host
    this.#options = options
    this.#alarm = new Alarm(host, () => this.#wake())
  }

  start(): void {
    const { queue, table, exclusive } = this.#options
    if (exclusive)
      for (const { kept } of table.places)
        for (const row of kept)
          if (row.claimedBy !== undefined) {
            row.claimedBy = undefined
            row.nextAtMs = this.host.nowMs()
          }
    queue.subscribe(this)
    this.#wake()
  }

  receive(parcel: Parcel, delivery: number): void {
    const { queue, engines, table } = this.#options
    const { event } = parcel
    const { host } = this
    if (!host.passes('inbox.received')) return
    const place = table.placeOf(event)
    const atOnce = engines.acknowledges === 'once received'
    if (atOnce) queue.answer(parcel, delivery, 'ack')
    const { redelivered } = parcel
    this.#inKey(place, (next) => {
      const done: Done = (recorded) => {
        next()
        if (recorded && !host.passes('inbox.acknowledged')) return
        if (!atOnce) queue.answer(parcel, delivery, recorded ? 'ack' : 'requeue')
      }
      if (redelivered) this.#processCounted(place, event, done)
      else this.#process(place, event, { attempts: 1, deferrals: 0, firstSeenMs: host.nowMs(), kept: false, counted: false }, done)
    })
  }

  #wake(): void {
    this.#wakeAgain = true
    if (this.#pumping) return
    this.#pumping = true
    this.host.after('looks for what is due', DB_MS.min, DB_MS.max, () => this.#pump())
  }

  #pump(): void {
    const { table } = this.#options
    const { host } = this
    this.#wakeAgain = false
    let waitMs = IDLE_POLL_MS
    if (!host.isRefused('claim what is due')) {
      const nowMs = host.nowMs()
      for (const row of table.claimDue(host.owner, nowMs, nowMs + CLAIM_MS)) this.#resume(row)
      waitMs = Math.max(1, Math.min(IDLE_POLL_MS, table.nextDueMs - nowMs))
    }
    this.#pumping = false
    if (this.#wakeAgain) this.#wake()
    this.#alarm.by(host.nowMs() + waitMs)
  }

  #resume(row: Readonly<KeptRow>): void {
    const { table, engines } = this.#options
    const { host } = this
    const { event, firstAtMs } = row
    const place = table.placeOf(event)
    this.#keysWithEarly.add(place)
    this.#inKey(place, (next) => {
      if (row.reason !== 'early') return this.#processCounted(place, event, next)
      host.after('looks', DB_MS.min, DB_MS.max, () => {
        if (this.#decide(place, event, firstAtMs) !== 'early') return this.#processCounted(place, event, next)
        this.#keysWithEarly.add(place)
        const atMs = engines.recheckAtMs(firstAtMs, event.previousAtMs, host.nowMs())
        if (host.commit('recheck', () => recheckLater(place, event, atMs)) === 'committed') this.#alarm.by(atMs)
        host.world.reached('an early message was looked at in vain')
        next()
      })
    })
  }

  #processCounted(place: KeyPlace, event: ModelEvent, done: Done): void {
    const { engines } = this.#options
    const { host } = this
    host.after('counts', DB_MS.min, DB_MS.max, () => {
      const nowMs = host.nowMs()
      let counted: ReturnType<typeof engines.countAttempt>
      const ended = host.commit('count', () => {
        counted = engines.countAttempt(place, event, host.owner, nowMs, nowMs + CLAIM_MS)
        this.#begun(event)
      })
      if (!host.passes('inbox.attempt-counted')) return
      if (ended !== 'committed') return done(false)
      if (counted === undefined) {
        host.world.reached('a dead letter was delivered again')
        return done(true)
      }
      const { attempts, deferrals, firstAtMs } = counted
      this.#process(place, event, { attempts, deferrals, firstSeenMs: firstAtMs, kept: true, counted: true }, done)
    })
  }

  #process(place: KeyPlace, event: ModelEvent, tries: Tries, done: Done): void {
    if (!tries.counted) this.#begun(event)
    this.host.after('handles', DB_MS.min, DB_MS.max, () => this.#handle(place, event, tries, done))
  }

  #handle(place: KeyPlace, event: ModelEvent, tries: Tries, done: Done): void {
    const { engines, checks, table, retry } = this.#options
    const { host } = this
    const { world } = host
    if (tries.attempts > retry.maxAttempts && this.#decide(place, event, tries.firstSeenMs) !== 'duplicate') {
      world.reached('a message that no attempt came to an end with was given up')
      return this.#recordFailure(place, event, tries, 'transient', undefined, done)
    }
    const before = place.cursor
    const verdict = this.#arrive(place, event, tries)
    world.note(verdict, host.name, event.number, tries.attempts)
    if (verdict === 'overtaken') return this.#recordFailure(place, event, tries, 'permanent', 'overtaken', done)
    if (verdict === 'early') return this.#park(place, event, tries, done)
    const moved = place.cursor
    // Of the transaction nothing is to be seen before it is committed.
    place.cursor = before
    if (!host.passes('inbox.cursor-advanced')) return
    const failure = verdict === 'fresh' ? this.#failureOf(event) : undefined
    if (failure === 'killer') return host.die()
    if (failure !== undefined) return this.#recordFailure(place, event, tries, failure, undefined, done)
    if (!host.passes('inbox.handled')) return
    let emitted: ((ended: Ended) => void) | undefined
    const ended = host.commit('handle', () => {
      place.cursor = moved
      if (verdict === 'fresh') {
        checks.apply(table, place, event)
        emitted = this.#options.emit(event)
      } else world.reached('a duplicate was dropped')
      if (tries.kept) drop(place, event)
      if (tries.kept || this.#keysWithEarly.has(place)) engines.bringAlong(place, event.sequence, host.nowMs() + NEXT_OF_KEY_MS)
    })
    if (ended === 'unknown') emitted?.(ended)
    if (ended !== 'committed') return this.#recordFailure(place, event, tries, 'infrastructure', undefined, done)
    if (!host.passes('inbox.committed')) return
    emitted?.(ended)
    this.#goOn(place, event, done)
  }

  /** With what waited for this one. */
  #goOn(place: KeyPlace, event: ModelEvent, done: Done): void {
    if (!this.#keysWithEarly.has(place)) return done(true)
    const next = findNext(place, event.sequence)
    if (next === undefined) {
      this.#keysWithEarly.delete(place)
      return done(true)
    }
    this.host.world.reached('an event was handled right behind the one that it waited for')
    const { attempts, deferrals, firstAtMs } = next
    const tries = { attempts: attempts + 1, deferrals, firstSeenMs: firstAtMs, kept: true, counted: false }
    this.#process(place, next.event, tries, done)
  }

  #arrive(place: KeyPlace, event: ModelEvent, tries: Tries): 'fresh' | 'duplicate' | 'early' | 'overtaken' {
    const { engines } = this.#options
    if (engines.advance(place, event.sequence)) return 'fresh'
    const verdict = this.#decide(place, event, tries.firstSeenMs)
    if (verdict === 'begin' && engines.begin(place, event.sequence)) {
      this.host.world.reached('a key was begun in the middle')
      return 'fresh'
    }
    if (verdict === 'handle') return engines.advance(place, event.sequence) ? 'fresh' : 'early'
    return verdict === 'duplicate' || verdict === 'overtaken' ? verdict : 'early'
  }

  #decide(place: KeyPlace, event: ModelEvent, firstSeenMs: number): ReturnType<ProtocolEngines['arrival']> {
    const { engines, subscribedSinceMs } = this.#options
    const { sequence, previousAtMs } = event
    const facts = { cursor: place.cursor, sequence, previousAtMs, subscribedSinceMs, earlierIsHere: false, firstSeenMs }
    const verdict = engines.arrival(facts, this.host.nowMs())
    return verdict === 'begin' && hasEarlier(place, event) ? 'early' : verdict
  }

  #park(place: KeyPlace, event: ModelEvent, tries: Tries, done: Done): void {
    const { engines } = this.#options
    const { host } = this
    this.#keysWithEarly.add(place)
    const nowMs = host.nowMs()
    const nextAtMs = engines.recheckAtMs(tries.firstSeenMs, event.previousAtMs, nowMs)
    const until: Until = { ...uncounted(tries), nextAtMs, nowMs }
    const ended = host.commit('park', () => {
      engines.keep(place, event, 'early', { ...until, nextAtMs: earlyAtMs(place, event, until) })
      if (place.cursor !== undefined) engines.bringAlong(place, place.cursor.sequence, nextAtMs)
    })
    if (ended !== 'committed') return this.#recordFailure(place, event, tries, 'infrastructure', undefined, done)
    host.world.reached('an early message waited')
    if (!host.passes('inbox.early-parked')) return
    this.#alarm.by(nextAtMs)
    done(true)
  }

  #recordFailure(place: KeyPlace, event: ModelEvent, tries: Tries, kind: FailureKind, cause: 'overtaken' | undefined, done: Done): void {
    const { host } = this
    host.after('records a failure', DB_MS.min, DB_MS.max, () => {
      const { engines, checks, table, retry } = this.#options
      const nowMs = host.nowMs()
      const { attempts, deferrals } = kind === 'infrastructure' ? uncounted({ ...tries, deferrals: tries.deferrals + 1 }) : tries
      const next = engines.afterFailure(kind, attempts, deferrals, nowMs, host, retry)
      host.world.note(kind, host.name, event.number, attempts)
      if ('retryAtMs' in next) {
        const until = { attempts, deferrals, counted: tries.counted, nextAtMs: next.retryAtMs, nowMs }
        if (host.commit('keep', () => engines.keep(place, event, 'retry', until)) !== 'committed') return done(false)
        host.world.reached('a message was kept for another attempt')
        if (!host.passes('inbox.failure-recorded')) return
        this.#alarm.by(next.retryAtMs)
        return done(true)
      }
      const why = cause ?? next.deadLetter
      const ended = host.commit('bury', () => {
        checks.bury(table, place, event, why)
        bury(place, event, why)
      })
      if (ended !== 'committed') return done(false)
      host.world.reached(`a message died: ${why}`)
      if (host.passes('inbox.dead-lettered')) done(true)
    })
  }

  #failureOf({ poison }: ModelEvent): FailureKind | 'killer' | undefined {
    if (poison?.consumer !== this.#options.table.consumer || poison.struck === poison.times) return undefined
    poison.struck++
    return poison.kind
  }

  #begun({ tries }: ModelEvent): void {
    const { consumer } = this.#options.table
    tries[consumer] = (tries[consumer] ?? 0) + 1
  }

  #inKey(place: KeyPlace, work: (next: () => void) => void): void {
    const next = (): void => {
      const waiting = this.#byKey[place.index]
      const following = waiting?.shift()
      if (following === undefined) this.#byKey[place.index] = undefined
      else following()
    }
    const run = (): void => work(next)
    const waiting = this.#byKey[place.index]
    if (waiting === undefined) {
      this.#byKey[place.index] = []
      run()
    } else waiting.push(run)
  }
}

function uncounted({ attempts, deferrals, counted }: Tries): Pick<Until, 'attempts' | 'deferrals' | 'counted'> {
  return { attempts: attempts - 1, deferrals, counted }
}
