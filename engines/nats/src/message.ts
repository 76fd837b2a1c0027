/**
 * A `Message` as a NATS message and back: the payload is the CloudEvent (structured mode), the rest are headers, percent-encoded
 * because NATS ends a header at the first line break and trims it. Reading never fails: what someone else put into our stream goes to
 * the platform, which keeps it as a dead letter. Then the id is a hash of the payload (the same at every delivery), and type and
 * key are empty.
 */
import { createHash } from 'node:crypto'
import type { Msg, MsgHdrs } from '@nats-io/transport-node'
import { headers } from '@nats-io/transport-node'
import type { Message } from 'skerry/engine'
import { topicOf } from './names.ts'

const CONTENT_TYPE = 'application/cloudevents+json; charset=utf-8'

const ID = 'Skerry-Id'
const TYPE = 'Skerry-Type'
const KEY = 'Skerry-Key'
const REDELIVERED = 'Skerry-Redelivered'

export function headersOf(message: Message): MsgHdrs {
  const result = headers()
  result.append('Content-Type', CONTENT_TYPE)
  result.append(ID, encode(message.id))
  result.append(TYPE, encode(message.type))
  result.append(KEY, encode(message.key))
  if (message.redelivered === true) result.append(REDELIVERED, 'true')
  return result
}

export function readMessage(prefix: string, { subject, data, headers: given, reply }: Msg): { message: Message; redelivered: boolean } {
  const message: Message = {
    id: decode(given?.get(ID)) ?? `sha256:${createHash('sha256').update(data).digest('hex')}`,
    topic: topicOf(prefix, subject),
    type: decode(given?.get(TYPE)) ?? '',
    key: decode(given?.get(KEY)) ?? '',
    body: Buffer.from(data).toString('utf8'),
  }
  return { message: Object.freeze(message), redelivered: deliveriesOf(reply) > 1 || given?.get(REDELIVERED) === 'true' }
}

export function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}

function decode(encoded: string | undefined): string | undefined {
  if (encoded === undefined || encoded === '') return undefined
  try {
    return decodeURIComponent(encoded)
  } catch {
    return encoded
  }
}

/** `$JS.ACK.<stream>.<consumer>.<deliveries>.…`, or with a domain and an account before the stream: how often NATS has delivered it. */
function deliveriesOf(reply: string | undefined): number {
  const parts = reply?.split('.') ?? []
  return Number(parts[parts.length > 9 ? 6 : 4])
}
