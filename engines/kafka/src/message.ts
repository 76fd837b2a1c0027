/**
 * A `Message` as a Kafka record and back: the value is the CloudEvent (structured mode), the key is the message's, so that messages of one key
 * keep their order in one partition; the rest are headers. Reading never fails: what someone else put into our topic goes to the platform, which
 * keeps it as a dead letter. Then the id says where it lies, which is the same at every delivery, and the type is empty.
 */
import type { KafkaRecord, MessageToProduce } from '@platformatic/kafka'
import type { Message } from 'skerry/engine'
import { topicNameOf, topicOf } from './names.ts'

/** As the Kafka binding of CloudEvents names it. */
const CONTENT_TYPE = 'content-type'
const CLOUD_EVENT_TYPE = 'application/cloudevents+json; charset=utf-8'
const ID = 'skerry-id'
const TYPE = 'skerry-type'
const REDELIVERED = 'skerry-redelivered'

/** Where a record lies. */
export interface Place {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
}

export function recordOf(prefix: string, { id, topic, type, key, body, redelivered }: Message): MessageToProduce {
  const headers: [string, string][] = [
    [CONTENT_TYPE, CLOUD_EVENT_TYPE],
    [ID, id],
    [TYPE, type],
  ]
  if (redelivered === true) headers.push([REDELIVERED, 'true'])
  return {
    topic: topicNameOf(prefix, topic),
    key: Buffer.from(key),
    value: Buffer.from(body),
    headers: new Map(headers.map(([name, value]) => [Buffer.from(name), Buffer.from(value)])),
  }
}

export function readRecord(
  prefix: string,
  { key, value, headers }: Pick<KafkaRecord, 'key' | 'value' | 'headers'>,
  { topic, partition, offset }: Place,
): { readonly message: Message; readonly redelivered: boolean } {
  const header = (wanted: string): string | undefined => {
    const found = headers.find(([name]) => name?.toString() === wanted)?.[1]?.toString()
    return found === '' ? undefined : found
  }
  const message: Message = {
    id: header(ID) ?? `kafka:${topic}/${partition}/${offset}`,
    topic: topicOf(prefix, topic),
    type: header(TYPE) ?? '',
    key: key?.toString() ?? '',
    body: value?.toString() ?? '',
  }
  return { message: Object.freeze(message), redelivered: header(REDELIVERED) === 'true' }
}
