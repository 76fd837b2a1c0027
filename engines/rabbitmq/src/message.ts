/**
 * A `Message` as an AMQP message and back: the body is the CloudEvent (structured mode), the rest are properties. Reading
 * never fails: a message that someone else put into our queue goes to the platform, which keeps it as a dead letter. Then the id
 * is a hash of the body (the same at every delivery), the topic is the routing key, and type and key are empty.
 */
import { createHash } from 'node:crypto'
import type { ConsumeMessage, Options } from 'amqplib'
import type { Message } from 'skerry/engine'

export const CLOUD_EVENT_TYPE = 'application/cloudevents+json; charset=utf-8'

const KEY = 'skerry-key'
const REDELIVERED = 'skerry-redelivered'

export function publishOptions(message: Message): Options.Publish {
  return {
    mandatory: true,
    persistent: true,
    contentType: CLOUD_EVENT_TYPE,
    messageId: message.id,
    type: message.type,
    headers: message.redelivered === true ? { [KEY]: message.key, [REDELIVERED]: true } : { [KEY]: message.key },
  }
}

export function readMessage({ content, fields, properties }: ConsumeMessage): { message: Message; redelivered: boolean } {
  const headers: Record<string, unknown> = properties.headers ?? {}
  const message: Message = {
    id: text(properties.messageId) ?? `sha256:${createHash('sha256').update(content).digest('hex')}`,
    topic: fields.routingKey,
    type: text(properties.type) ?? '',
    key: text(headers[KEY]) ?? '',
    body: content.toString('utf8'),
  }
  return { message: Object.freeze(message), redelivered: fields.redelivered || headers[REDELIVERED] === true }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
