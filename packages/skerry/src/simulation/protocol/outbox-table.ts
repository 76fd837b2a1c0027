/**
 * One service's outbox, as its database holds it: committed rows, the number of the last event of each key, and the leases on parts of it.
 * Mirrors the flush in `events/outbox.ts` and the statements of `events/lease.ts`.
 */
import { fairShare } from '../../events/lease.ts'
import type { ModelEvent, Poison } from './event.ts'
import { KEYS } from './event.ts'
import type { World } from './world.ts'

/** Fewer than in the platform, so that every part is used. */
const PARTS = 4

interface Head {
  sequence: number
  atMs: number
}

interface Lease {
  owner: string | undefined
  expiresAtMs: number
}

export class OutboxTable {
  readonly service: number
  readonly topic: string
  rows: ModelEvent[] = []
  /** Everything that was ever committed to it. */
  readonly committed: ModelEvent[] = []
  readonly #world: World
  readonly #subscribers: readonly number[]
  readonly #heads: (Head | undefined)[] = KEYS.map(() => undefined)
  readonly #leases: Lease[] = Array.from({ length: PARTS }, () => ({ owner: undefined, expiresAtMs: 0 }))
  readonly #members = new Map<string, number>()
  #nextId = 1

  constructor(world: World, service: number, topic: string, subscribers: readonly number[]) {
    this.#world = world
    this.service = service
    this.topic = topic
    this.#subscribers = subscribers
  }

  /** Writes an event in the transaction that is being committed. */
  add(keyIndex: number, nowMs: number): ModelEvent {
    const head = this.#heads[keyIndex]
    const sequence = (head?.sequence ?? 0) + 1
    const key = KEYS[keyIndex]!
    const event: ModelEvent = {
      number: this.service * 100_000 + this.#nextId,
      id: this.#nextId++,
      topic: this.topic,
      key,
      service: this.service,
      keyIndex,
      sequence,
      createdAtMs: nowMs,
      previousAtMs: head?.atMs,
      poison: this.#poison(`${this.topic}/${key}/${sequence} is poison`),
      routed: 0,
      tries: [],
    }
    this.#heads[keyIndex] = { sequence, atMs: nowMs }
    this.rows.push(event)
    this.committed.push(event)
    return event
  }

  claim(waiting: readonly string[], limit: number, isWanted: (row: ModelEvent) => boolean): readonly ModelEvent[] {
    const found: ModelEvent[] = []
    for (const row of this.rows) {
      if (!isWanted(row) || waiting.includes(row.key)) continue
      found.push(row)
      if (found.length === limit) break
    }
    return found
  }

  delete(ids: readonly number[]): void {
    this.rows = this.rows.filter(({ id }) => !ids.includes(id))
  }

  /** As `shareLeases`. */
  shareLeases(owner: string, nowMs: number, ttlMs: number): readonly number[] {
    const expiresAtMs = nowMs + ttlMs
    this.#members.set(owner, expiresAtMs)
    for (const [member, untilMs] of this.#members) if (untilMs < nowMs) this.#members.delete(member)
    const share = fairShare(PARTS, this.#members.size)
    const mine: number[] = []
    for (const [part, lease] of this.#leases.entries()) {
      if (lease.owner !== owner) continue
      if (mine.length === share) lease.owner = undefined
      else {
        lease.expiresAtMs = expiresAtMs
        mine.push(part)
      }
    }
    for (const [part, lease] of this.#leases.entries()) {
      if (mine.length >= share) break
      if (lease.owner === owner || (lease.owner !== undefined && lease.expiresAtMs >= nowMs)) continue
      if (lease.owner !== undefined) this.#world.reached('a lease was stolen')
      lease.owner = owner
      lease.expiresAtMs = expiresAtMs
      mine.push(part)
    }
    return mine
  }

  #poison(name: string): Poison | undefined {
    const choice = this.#subscribers.length === 0 ? undefined : this.#world.strikes('poison', name)
    if (choice === undefined) return undefined
    const { choices } = this.#world
    const consumer = this.#subscribers[Math.floor(choices.sizeOf(choice, 'consumer') * this.#subscribers.length)]!
    const kind = choices.sizeOf(choice, 'kind')
    if (kind < 0.5) return { kind: 'transient', times: 1 + Math.floor(choices.sizeOf(choice, 'times') * 2), consumer, struck: 0 }
    if (kind < 0.65) return { kind: 'transient', times: Infinity, consumer, struck: 0 }
    return kind < 0.85
      ? { kind: 'permanent', times: Infinity, consumer, struck: 0 }
      : { kind: 'killer', times: Infinity, consumer, struck: 0 }
  }
}

export function partOf({ keyIndex }: ModelEvent): number {
  return keyIndex % PARTS
}
