/**
 * The relay's decisions, without their effects: which outbox rows to publish next, and what an outcome means. It keeps one
 * batch per key on its way at a time, so that a broker that loses or refuses one message cannot reorder a key; keys do not wait for
 * each other. Effects (SQL, broker, timers) are in `relay-worker.ts`.
 */
import type { PublishOutcome } from '../engine/broker.ts'

/** An outbox row as far as deciding needs it. */
export interface OutboxRow {
  readonly id: number
  readonly topic: string
  readonly key: string
}

export interface RelaySettings {
  /** Rows on their way to the broker at once. */
  readonly maxInFlight: number
  readonly minBackoffMs: number
  readonly maxBackoffMs: number
}

export const RELAY_DEFAULTS: RelaySettings = { maxInFlight: 1_000, minBackoffMs: 100, maxBackoffMs: 30_000 }

export interface Claimed<Row> {
  readonly batches: readonly (readonly Row[])[]
  /** Some rows must be looked for again once their key is no longer on its way. */
  readonly skipped: boolean
}

interface Parked {
  /** Failures in a row. */
  readonly attempts: number
  readonly untilMs: number
}

/** Changed in place: a copy per event would make the cost of each grow with the number on their way. */
export class Relay {
  readonly #settings: RelaySettings
  /** By topic and key. */
  readonly #inFlight = new Map<string, readonly OutboxRow[]>()
  /** Keys whose last attempt failed. */
  readonly #parked = new Map<string, Parked>()
  #inFlightRows = 0

  constructor(settings: RelaySettings = RELAY_DEFAULTS) {
    this.#settings = settings
  }

  /** Rows on their way. */
  get inFlightRows(): number {
    return this.#inFlightRows
  }

  get isFull(): boolean {
    return this.#inFlightRows >= this.#settings.maxInFlight
  }

  /** Chooses from rows, in the order of their ids, the batches to publish now: all rows given of each key that is free. */
  claim<Row extends OutboxRow>(rows: readonly Row[], nowMs: number): Claimed<Row> {
    let skipped = false
    const byKey = new Map<string, Row[]>()
    for (const row of rows) {
      const key = keyOf(row)
      const onTheirWay = this.#inFlight.get(key)
      if (onTheirWay !== undefined) {
        skipped ||= !onTheirWay.some(({ id }) => id === row.id)
        continue
      }
      if (this.#isParked(key, nowMs)) continue
      const batch = byKey.get(key)
      if (batch === undefined) byKey.set(key, [row])
      else batch.push(row)
    }
    for (const [key, batch] of byKey) {
      this.#inFlight.set(key, batch)
      this.#inFlightRows += batch.length
    }
    return { batches: [...byKey.values()], skipped }
  }

  /** To be told once the rows that are done have been deleted: the key is free again, or parked when its batch failed. */
  settle(batch: readonly OutboxRow[], { done, failure }: Confirmation, nowMs: number): void {
    const key = keyOf(batch[0]!)
    this.#inFlight.delete(key)
    this.#inFlightRows -= batch.length
    if (failure === undefined) {
      this.#parked.delete(key)
      return
    }
    const attempts = done.length > 0 ? 1 : (this.#parked.get(key)?.attempts ?? 0) + 1
    const { minBackoffMs, maxBackoffMs } = this.#settings
    this.#parked.set(key, { attempts, untilMs: nowMs + Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(attempts - 1, 20)) })
  }

  /** The keys that must wait for their next attempt: there is no use in reading their rows. */
  parkedKeys(nowMs: number): readonly string[] {
    return [...this.#parked.keys()].filter((key) => this.#isParked(key, nowMs)).map((key) => key.slice(key.indexOf('\n') + 1))
  }

  /** When the earliest parked key may be tried again. One that is being tried says itself what comes next. */
  get nextRetryMs(): number | undefined {
    let earliest: number | undefined
    for (const [key, { untilMs }] of this.#parked)
      if (!this.#inFlight.has(key) && (earliest === undefined || untilMs < earliest)) earliest = untilMs
    return earliest
  }

  /** Forgets keys that might have been tried again but are not on their way: nothing of theirs was left to claim. */
  forgetAbsent(nowMs: number): void {
    for (const key of this.#parked.keys()) if (!this.#inFlight.has(key) && !this.#isParked(key, nowMs)) this.#parked.delete(key)
  }

  /** Lets every parked key be tried at once, as when the broker has come back. How often they failed is not forgotten. */
  unpark(): void {
    for (const [key, { attempts }] of this.#parked) this.#parked.set(key, { attempts, untilMs: 0 })
  }

  #isParked(key: string, nowMs: number): boolean {
    return (this.#parked.get(key)?.untilMs ?? 0) > nowMs
  }
}

export interface Confirmation {
  /** Ids of rows that the broker now answers for. */
  readonly done: readonly number[]
  /** Why the first row that failed did, when one did. */
  readonly failure: string | undefined
}

/**
 * What the outcomes of one batch mean. Only the confirmed prefix is done: rows after a failure are published again behind it, even when
 * they were confirmed themselves; consumers drop the repetition. An event that no queue takes waits for one if the system declares a
 * consumer of its topic (`hasConsumers`); if it declares none, nobody misses it.
 */
export function confirmation(batch: readonly OutboxRow[], outcomes: readonly PublishOutcome[], hasConsumers: boolean): Confirmation {
  const firstFailure = outcomes.findIndex(({ kind }) => kind === 'failed' || (kind === 'unroutable' && hasConsumers))
  if (firstFailure === -1) return { done: batch.map((row) => row.id), failure: undefined }
  const outcome = outcomes[firstFailure]!
  return {
    done: batch.slice(0, firstFailure).map((row) => row.id),
    failure: outcome.kind === 'failed' ? outcome.reason : 'no queue takes it, although the system declares a consumer of its topic',
  }
}

function keyOf(row: OutboxRow): string {
  return `${row.topic}\n${row.key}`
}
