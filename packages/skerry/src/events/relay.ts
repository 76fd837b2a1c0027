/**
 * The relay's decisions, as a pure state machine: which outbox rows to publish next, and what an outcome means. It keeps
 * one batch per key on its way at a time, so that a broker that loses or refuses one message cannot reorder a key; keys do not wait for
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

export interface RelayState {
  /** Rows on their way, by topic and key. */
  readonly inFlight: ReadonlyMap<string, readonly OutboxRow[]>
  readonly inFlightRows: number
  /** Keys whose last attempt failed, and when the next may be made. */
  readonly parked: ReadonlyMap<string, { readonly attempts: number; readonly untilMs: number }>
}

export const IDLE: RelayState = { inFlight: new Map(), inFlightRows: 0, parked: new Map() }

export interface Claimed<Row> {
  readonly state: RelayState
  readonly batches: readonly (readonly Row[])[]
  /** Some rows must be looked for again once their key is no longer on its way. */
  readonly skipped: boolean
}

/** Chooses from claimed rows, in the order of their ids, the batches to publish now: all claimed rows of each key that is free. */
export function claimed<Row extends OutboxRow>(state: RelayState, rows: readonly Row[], nowMs: number): Claimed<Row> {
  let skipped = false
  const byKey = new Map<string, Row[]>()
  for (const row of rows) {
    const key = keyOf(row)
    const onTheirWay = state.inFlight.get(key)
    if (onTheirWay !== undefined) {
      skipped ||= !onTheirWay.some(({ id }) => id === row.id)
      continue
    }
    if (isParked(state, key, nowMs)) continue
    const batch = byKey.get(key)
    if (batch === undefined) byKey.set(key, [row])
    else batch.push(row)
  }
  const inFlight = new Map<string, readonly OutboxRow[]>(state.inFlight)
  let inFlightRows = state.inFlightRows
  for (const [key, batch] of byKey) {
    inFlight.set(key, batch)
    inFlightRows += batch.length
  }
  return { state: { ...state, inFlight, inFlightRows }, batches: [...byKey.values()], skipped }
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

/** The state once the rows that are done have been deleted: the key is free again, or parked when its batch failed. */
export function settled(
  state: RelayState,
  batch: readonly OutboxRow[],
  { done, failure }: Confirmation,
  nowMs: number,
  settings: RelaySettings,
): RelayState {
  const key = keyOf(batch[0]!)
  const inFlight = new Map(state.inFlight)
  inFlight.delete(key)
  const parked = new Map(state.parked)
  if (failure === undefined) parked.delete(key)
  else {
    const attempts = done.length > 0 ? 1 : (parked.get(key)?.attempts ?? 0) + 1
    parked.set(key, { attempts, untilMs: nowMs + Math.min(settings.maxBackoffMs, settings.minBackoffMs * 2 ** Math.min(attempts - 1, 20)) })
  }
  return { inFlight, inFlightRows: state.inFlightRows - batch.length, parked }
}

/** The keys that must wait for their next attempt: there is no use in reading their rows. */
export function parkedKeys(state: RelayState, nowMs: number): readonly string[] {
  return [...state.parked.keys()].filter((key) => isParked(state, key, nowMs)).map((key) => key.slice(key.indexOf('\n') + 1))
}

/** When the earliest parked key may be tried again. One that is being tried says itself what comes next. */
export function nextRetryMs(state: RelayState): number | undefined {
  let earliest: number | undefined
  for (const [key, { untilMs }] of state.parked)
    if (!state.inFlight.has(key) && (earliest === undefined || untilMs < earliest)) earliest = untilMs
  return earliest
}

/** Forgets keys that might have been tried again but are not on their way: nothing of theirs was left to claim. */
export function forgetAbsent(state: RelayState, nowMs: number): RelayState {
  const isAbsent = (key: string): boolean => !state.inFlight.has(key) && !isParked(state, key, nowMs)
  if (![...state.parked.keys()].some(isAbsent)) return state
  return { ...state, parked: new Map([...state.parked].filter(([key]) => !isAbsent(key))) }
}

/** Lets every parked key be tried at once, as when the broker has come back. */
export function unpark(state: RelayState): RelayState {
  return { ...state, parked: new Map([...state.parked].map(([key, { attempts }]) => [key, { attempts, untilMs: 0 }])) }
}

function isParked(state: RelayState, key: string, nowMs: number): boolean {
  const parked = state.parked.get(key)
  return parked !== undefined && parked.untilMs > nowMs
}

function keyOf(row: OutboxRow): string {
  return `${row.topic}\n${row.key}`
}
