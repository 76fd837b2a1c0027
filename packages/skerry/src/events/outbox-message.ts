/** An outbox row on its way to the broker: a CloudEvent, with the bindings that its contract promises. */
import type { EventDeclaration } from '../contract/event.ts'
import type { Message } from '../engine/broker.ts'
import { sourceOf, writeCloudEvent } from './cloud-event.ts'
import type { OutboxEntry } from './outbox.ts'

export interface Publisher {
  readonly service: string
  /** The events of its contract by their type. */
  readonly events: ReadonlyMap<string, EventDeclaration>
  /** When this life of the service began, in milliseconds since the epoch. */
  readonly startedMs: number
}

export function messageOf(row: OutboxEntry, { service, events, startedMs }: Publisher): Message {
  const amqp = events.get(row.type)?.bindings.amqp
  return {
    id: row.message_id,
    topic: row.topic,
    type: row.type,
    key: row.key,
    body: writeCloudEvent(
      {
        id: row.message_id,
        source: sourceOf(service),
        type: row.type,
        key: row.key,
        time: row.created_at.toISOString(),
        traceparent: row.traceparent,
        sequence: row.seq,
        previousTime: row.previous_at?.toISOString(),
      },
      row.payload,
    ),
    // Left by an earlier life of this service: it may have been published before the process ended.
    redelivered: row.created_at.getTime() < startedMs,
    bindings: amqp === undefined ? undefined : { amqp: { ...amqp, data: row.payload } },
  }
}
