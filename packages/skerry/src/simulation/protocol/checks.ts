/**
 * What must hold of events, looked at each time that one takes effect and once more when all is quiet: every committed event once at each
 * subscriber and in the order of its key, or a dead letter for a reason, with those behind it waiting.
 */
import type { ModelEvent } from './event.ts'
import type { DeadRow, InboxTable, KeyPlace } from './inbox-table.ts'
import type { OutboxTable } from './outbox-table.ts'
import type { World } from './world.ts'

export interface Consumer {
  readonly table: InboxTable
  readonly topics: readonly number[]
}

export class InboxChecks {
  readonly #world: World
  readonly #outboxes: readonly OutboxTable[]
  readonly #maxAttempts: number

  constructor(world: World, outboxes: readonly OutboxTable[], maxAttempts: number) {
    this.#world = world
    this.#outboxes = outboxes
    this.#maxAttempts = maxAttempts
  }

  /** An event takes effect. */
  apply(table: InboxTable, place: KeyPlace, event: ModelEvent): void {
    const last = place.applied.at(-1) ?? 0
    const { sequence } = event
    place.applied.push(sequence)
    if (this.#outboxes[event.service]!.committed[event.id - 1] !== event) this.#fail(table, event, 'was handled and never committed')
    if (sequence <= last)
      this.#fail(table, event, place.applied.indexOf(sequence) < place.applied.length - 1 ? 'was handled twice' : 'was handled too late')
    else if (sequence !== last + 1 && !table.joinsLate) this.#fail(table, event, 'was handled before the one before it')
  }

  bury(table: InboxTable, place: KeyPlace, event: ModelEvent, cause: DeadRow['cause']): void {
    const { consumer } = table
    const { poison } = event
    const isPoison = poison?.consumer === consumer
    if (cause === 'rejected' && !(isPoison && poison.kind === 'permanent')) this.#fail(table, event, 'was rejected for no reason')
    if (cause === 'exhausted' && event.tries[consumer]! < this.#maxAttempts) this.#fail(table, event, 'died before its last attempt')
    if (cause === 'overtaken' && !table.joinsLate) this.#fail(table, event, 'was overtaken')
    if (cause !== 'overtaken' && place.applied.includes(event.sequence)) this.#fail(table, event, 'died although it had been handled')
  }

  /** Nothing is left to do, but for what waits behind a dead letter. */
  isSettled(table: InboxTable): boolean {
    return table.places.every(
      (place) => place.kept.length === 0 || place.kept.every((row) => row.reason === 'early' && isBlocked(place, row.event)),
    )
  }

  /** Once all is quiet. */
  final({ table, topics }: Consumer): void {
    for (const topic of topics)
      for (const event of this.#outboxes[topic]!.committed) {
        if (table.joinsLate && (event.routed & (1 << table.consumer)) === 0) continue
        const place = table.placeOf(event)
        const isDead = place.dead.some((row) => row.event === event)
        if (place.applied.includes(event.sequence) || isDead) continue
        if (!isBlocked(place, event)) this.#fail(table, event, 'was lost')
        else if (!place.kept.some((row) => row.event === event)) this.#fail(table, event, 'was lost behind a dead letter')
      }
  }

  #fail({ consumer }: InboxTable, { topic, key, sequence }: ModelEvent, what: string): void {
    this.#world.violate(`${topic}/${key}/${sequence} at consumer ${consumer} ${what}`)
  }
}

/** A dead letter of the key stands between what was handled last and this one. */
function isBlocked({ cursor, dead }: KeyPlace, { sequence }: ModelEvent): boolean {
  return dead.some(({ event }) => event.sequence > (cursor?.sequence ?? 0) && event.sequence < sequence)
}
