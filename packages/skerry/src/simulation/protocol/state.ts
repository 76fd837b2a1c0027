/** How a run on tables in memory ended. */
import type { EndState, SagaEnd } from '../differential/end-state.ts'
import { sagaEnd } from '../differential/end-state.ts'
import type { KeyPlace } from './inbox-table.ts'
import type { SagaRow } from './saga-table.ts'
import type { System } from './system.ts'

export function stateOf({ services }: System): EndState {
  const handled: Record<string, readonly string[]> = {}
  const deadLetters: Record<string, readonly string[]> = {}
  const waiting: Record<string, readonly string[]> = {}
  const sagas: Record<string, SagaEnd> = {}
  for (const { shape, consumer, sagas: table } of services) {
    for (const topic of consumer.topics) {
      const byKey = Map.groupBy(services[topic]!.outbox.committed, ({ key }) => key)
      for (const [key, events] of byKey) {
        const place = consumer.table.placeOf(events[0]!)
        const name = `${shape.name}: ${events[0]!.topic}/${key}`
        const labels = new Map(events.map(({ sequence, label }) => [sequence, label]))
        put(
          handled,
          name,
          place.applied.map((sequence) => labels.get(sequence)!),
        )
        put(
          deadLetters,
          name,
          inOrder(place.dead).map(({ event, cause }) => `${event.label} ${cause}`),
        )
        put(
          waiting,
          name,
          inOrder(place.kept).map(({ event }) => event.label),
        )
      }
    }
    for (const row of table.rows) sagas[row.id] = endOf(row)
  }
  return { handled, deadLetters, waiting, sagas }
}

function put(into: Record<string, readonly string[]>, place: string, labels: readonly string[]): void {
  if (labels.length > 0) into[place] = labels
}

function inOrder<Row extends KeyPlace['kept'][number] | KeyPlace['dead'][number]>(rows: readonly Row[]): readonly Row[] {
  return rows.toSorted((one, other) => one.event.sequence - other.event.sequence)
}

function endOf({ definition, state, effects, undone }: SagaRow): SagaEnd {
  const { status, failure, parkedBecause } = state
  const inEffect = [...effects].flatMap(([name, effect]) => (effect.inEffect ? [name] : []))
  return sagaEnd(definition, { status, failure, parkedBecause, inEffect, undone })
}
