/** A message as a consumer keeps it: with all that is needed to handle it again without the broker. */
import type { Envelope } from './cloud-event.ts'
import { OvertakenEvent } from './event-failure.ts'
import type { EventMeta } from './subscription.ts'

export interface StoredMessage {
  readonly consumer: string
  readonly topic: string
  readonly envelope: Envelope
  /** As received, to be kept and shown. */
  readonly body: string
}

/** What must be handled in order: events of one key, or one message. */
export function keyOf({ source, key, sequence, id }: Envelope): string {
  return sequence === undefined ? `${source}\n${id}` : `${source}\n${key}`
}

/** What the log says of it. */
export function about({ envelope }: StoredMessage): Readonly<Record<string, unknown>> {
  return { event: envelope.type, message: envelope.id, key: envelope.key }
}

export function metaOf(envelope: Envelope, attempt: number): EventMeta {
  return {
    id: envelope.id,
    type: envelope.type,
    source: envelope.source,
    key: envelope.key,
    time: new Date(envelope.time),
    sequence: envelope.sequence,
    attempt,
  }
}

export function overtaken({ envelope }: StoredMessage): OvertakenEvent {
  return new OvertakenEvent(
    `the key "${envelope.key}" was begun after number ${envelope.sequence}, which had not arrived although this service had subscribed only lately; handled now, it would be out of order`,
  )
}

/** PostgreSQL's text cannot hold the character U+0000, which a foreign publisher or an error's message may contain. */
export function storable(text: string): string {
  return text.includes('\u0000') ? text.replaceAll('\u0000', '\ufffd') : text
}

/** Its text in a table. */
export function storedText({ topic, body }: StoredMessage): string {
  return JSON.stringify({ topic: storable(topic), body: storable(body) })
}

/** Reads back what was kept or buried. */
export function readStoredText(text: string): { readonly topic: string; readonly body: string } {
  return JSON.parse(text) as { topic: string; body: string }
}
