/**
 * One service's outbox, as its database holds it: committed rows, the number of the last event of each key, and the leases on parts of it.
 * Mirrors the flush in `events/outbox.ts` and the statements of `events/lease.ts`.
 */
import { fairShare } from '../../events/lease.ts'
import type { ModelEvent, NewEvent } from './event.ts'
import type { Scenario } from './scenario.ts'
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
  readonly #scenario: Scenario
  readonly #heads: (Head | undefined)[] = []
  readonly #leases: Lease[] = Array.from({ length: PARTS }, () => ({ owner: undefined, expiresAtMs: 0 }))
  readonly #members = new Map<string, number>()
  #nextId = 1

  constructor(world: World, service: number, topic: string, scenario: Scenario) {
    this.#world = world
    this.service = service
    this.topic = topic
    this.#scenario = scenario
  }

  /** Writes an event in the transaction that is being committed. */
  add({ keyIndex, label }: NewEvent, nowMs: number): ModelEvent {
    const head = this.#heads[keyIndex]
    const sequence = (head?.sequence ?? 0) + 1
    const key = this.#scenario.keys[keyIndex]!
    const { topic, service } = this
    const event: ModelEvent = {
      number: service * 100_000 + this.#nextId,
      label,
      id: this.#nextId++,
      topic,
      key,
      service,
      keyIndex,
      sequence,
      createdAtMs: nowMs,
      previousAtMs: head?.atMs,
      poison: this.#scenario.poisonOf({ topic, service, key, sequence, label }),
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
}

export function partOf({ keyIndex }: ModelEvent): number {
  return keyIndex % PARTS
}
