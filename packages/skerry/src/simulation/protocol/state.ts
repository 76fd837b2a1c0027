/** How a run ended, in words that do not depend on how tables are kept, so that a run of another kind can be compared with it. */
import type { System } from './system.ts'

export interface ProtocolState {
  /** By consumer, topic and key: the numbers of the events that took effect, in order. */
  readonly handled: Readonly<Record<string, readonly number[]>>
  readonly deadLetters: readonly string[]
  /** By number: how each saga ended. */
  readonly sagas: Readonly<Record<number, string>>
}

export function stateOf({ services }: System): ProtocolState {
  const handled: Record<string, readonly number[]> = {}
  const deadLetters: string[] = []
  const sagas: Record<number, string> = {}
  for (const { shape, consumer, sagas: table } of services) {
    for (const topic of consumer.topics)
      for (const event of services[topic]!.outbox.committed) {
        const { applied, dead } = consumer.table.placeOf(event)
        const place = `${shape.name}: ${event.topic}/${event.key}`
        handled[place] = applied
        if (dead.some((row) => row.event === event)) deadLetters.push(`${place}/${event.sequence}`)
      }
    for (const { id, state } of table.rows) sagas[id] = state.status
  }
  return { handled, deadLetters, sagas }
}
