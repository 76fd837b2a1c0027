/**
 * What one consumer's database knows of the events that reach it: cursors, messages that wait, dead letters and the effects themselves.
 * The functions mirror one statement each of `events/inbox-store.ts` and `events/key-cursor.ts`.
 */
import type { Cursor } from '../../events/inbox.ts'
import type { ModelEvent } from './event.ts'

/** How soon a message is looked at that waits behind another one that waits: as in `inbox-store.ts`. */
const BEHIND_MS = 600_000

export interface KeptRow {
  readonly event: ModelEvent
  reason: 'early' | 'retry'
  attempts: number
  deferrals: number
  nextAtMs: number
  claimedBy: string | undefined
  readonly firstAtMs: number
}

export interface DeadRow {
  readonly event: ModelEvent
  readonly cause: 'rejected' | 'exhausted' | 'overtaken'
}

/** A key of a source: its place in the order of its events. */
export interface KeyPlace {
  readonly index: number
  cursor: Cursor | undefined
  readonly kept: KeptRow[]
  readonly dead: DeadRow[]
  /** The effects of its events, by their sequence, in the order in which they were committed. */
  readonly applied: number[]
}

export interface Until {
  readonly attempts: number
  readonly deferrals: number
  readonly counted: boolean
  readonly nextAtMs: number
  readonly nowMs: number
}

export class InboxTable {
  readonly consumer: number
  /** It subscribes in the middle: what was published before is not its business. */
  readonly joinsLate: boolean
  readonly places: readonly KeyPlace[]
  readonly #keys: number

  /** `keys`: how many there are in each topic. */
  constructor(consumer: number, services: number, keys: number, joinsLate: boolean) {
    this.consumer = consumer
    this.joinsLate = joinsLate
    this.#keys = keys
    this.places = Array.from({ length: services * keys }, (_, index) => ({
      index,
      cursor: undefined,
      kept: [],
      dead: [],
      applied: [],
    }))
  }

  placeOf({ service, keyIndex }: ModelEvent): KeyPlace {
    return this.places[service * this.#keys + keyIndex]!
  }

  claimDue(owner: string, nowMs: number, untilMs: number): readonly Readonly<KeptRow>[] {
    const due: KeptRow[] = []
    for (const { kept } of this.places) for (const row of kept) if (row.nextAtMs <= nowMs) due.push(row)
    due.sort((a, b) => a.nextAtMs - b.nextAtMs || a.event.sequence - b.event.sequence || a.event.number - b.event.number)
    for (const row of due) {
      row.nextAtMs = untilMs
      row.claimedBy = owner
    }
    return due.map((row) => ({ ...row }))
  }

  get nextDueMs(): number {
    let earliest = Infinity
    for (const { kept } of this.places) for (const row of kept) if (row.nextAtMs < earliest) earliest = row.nextAtMs
    return earliest
  }
}

/** Moves the key's cursor to `sequence` if the one before it was handled last. */
export function advance(place: KeyPlace, sequence: number): boolean {
  const { cursor } = place
  if (sequence !== (cursor?.sequence ?? 0) + 1) return false
  place.cursor = { sequence, began: cursor?.began ?? 1 }
  return true
}

/** Starts a key in the middle. */
export function begin(place: KeyPlace, sequence: number): boolean {
  place.cursor = { sequence, began: sequence }
  return true
}

/** Whether a message of the key between the cursor and this one waits here or is dead. */
export function hasEarlier({ cursor, kept, dead }: KeyPlace, { sequence }: ModelEvent): boolean {
  const isEarlier = ({ event }: { readonly event: ModelEvent }): boolean =>
    event.sequence > (cursor?.sequence ?? 0) && event.sequence < sequence
  return kept.some(isEarlier) || dead.some(isEarlier)
}

export function keep(place: KeyPlace, event: ModelEvent, reason: KeptRow['reason'], until: Until): void {
  const { attempts, deferrals, nextAtMs } = until
  const row = find(place, event)
  if (row === undefined) {
    place.kept.push({ event, reason, attempts, deferrals, nextAtMs, claimedBy: undefined, firstAtMs: until.nowMs })
    return
  }
  row.reason = reason
  row.nextAtMs = nextAtMs
  row.claimedBy = undefined
  row.attempts = until.counted ? attempts : Math.max(row.attempts, attempts)
  row.deferrals = until.counted ? deferrals : Math.max(row.deferrals, deferrals)
}

/** When an early message is looked at: the first that waits for a key soon, those behind it hardly ever by themselves. */
export function earlyAtMs({ kept }: KeyPlace, { sequence }: ModelEvent, { nextAtMs, nowMs }: Until): number {
  return kept.some(({ event, reason }) => reason === 'early' && event.sequence < sequence) ? nowMs + BEHIND_MS : nextAtMs
}

/** Sees to it that the first message that waits for one after `sequence` of its key is looked at by `atMs`. */
export function bringAlong({ kept }: KeyPlace, sequence: number, atMs: number): void {
  let first: KeptRow | undefined
  for (const row of kept)
    if (row.reason === 'early' && row.event.sequence > sequence && row.event.sequence < (first?.event.sequence ?? Infinity)) first = row
  if (first !== undefined && first.nextAtMs > atMs && first.claimedBy === undefined) first.nextAtMs = atMs
}

/** Counts an attempt before it is made. Undefined: it is dead. */
export function countAttempt(
  place: KeyPlace,
  event: ModelEvent,
  owner: string,
  nowMs: number,
  untilMs: number,
): Pick<KeptRow, 'attempts' | 'deferrals' | 'firstAtMs'> | undefined {
  const row = find(place, event)
  if (row !== undefined) {
    row.reason = 'retry'
    row.attempts++
    row.nextAtMs = untilMs
    row.claimedBy = owner
    return row
  }
  if (place.dead.some((dead) => dead.event === event)) return undefined
  const counted: KeptRow = { event, reason: 'retry', attempts: 1, deferrals: 0, nextAtMs: untilMs, claimedBy: owner, firstAtMs: nowMs }
  place.kept.push(counted)
  return counted
}

export function recheckLater(place: KeyPlace, event: ModelEvent, atMs: number): void {
  const row = find(place, event)
  if (row === undefined) return
  row.nextAtMs = atMs
  row.claimedBy = undefined
}

export function drop(place: KeyPlace, event: ModelEvent): void {
  const index = place.kept.findIndex((row) => row.event === event)
  if (index !== -1) place.kept.splice(index, 1)
}

export function bury(place: KeyPlace, event: ModelEvent, cause: DeadRow['cause']): void {
  if (!place.dead.some((dead) => dead.event === event)) place.dead.push({ event, cause })
  drop(place, event)
}

export function findNext({ kept }: KeyPlace, sequence: number): KeptRow | undefined {
  return kept.find((row) => row.reason === 'early' && row.event.sequence === sequence + 1)
}

function find({ kept }: KeyPlace, event: ModelEvent): KeptRow | undefined {
  return kept.find((row) => row.event === event)
}
