/**
 * What amqplib alone moves through a quorum queue: persistent messages with publisher confirms, each acknowledged by its consumer.
 * No database; the effect is that the message was read. As many bytes as Skerry's: the same payload in the same envelope.
 */
import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import amqp from 'amqplib'
import type { Payload } from './workload.ts'
import { measure } from './workload.ts'

// The best of those tried: 100 to 1,000, and 300 to 3,000.
const PREFETCH = 200
/** Published and not read, at most. */
const WINDOW = 1_000

const queue = process.env['QUEUE']!
const publishing = await amqp.connect(process.env['RABBITMQ_URL']!)
const consuming = await amqp.connect(process.env['RABBITMQ_URL']!)
const publisher = await publishing.createConfirmChannel()
const consumer = await consuming.createChannel()
await publisher.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
await consumer.prefetch(PREFETCH)

const read: Payload[] = []
await measure(
  async (handled) => {
    await consumer.consume(queue, (message) => {
      const { data } = JSON.parse(message!.content.toString()) as { data: Payload }
      read.push(data)
      consumer.ack(message!)
      handled([data.number])
    })
    return {
      send: async (payloads) => void (await Promise.all(payloads.map(publish))),
      async check(sent) {
        assert.equal(read.length, sent, 'a message was lost, or came twice')
        const last = new Map<number, number>()
        for (const { key, number } of read) {
          assert.ok((last.get(key) ?? -1) < number, `the messages of key ${key} are out of order`)
          last.set(key, number)
        }
      },
    }
  },
  { batches: [1], window: WINDOW },
)
await publishing.close()
await consuming.close()

function publish(data: Payload): Promise<void> {
  const id = randomUUID()
  const time = new Date().toISOString()
  const key = String(data.key)
  const body = {
    specversion: '1.0',
    id,
    source: '/services/sender',
    type: 'sender.sent.v1',
    subject: key,
    time,
    datacontenttype: 'application/json',
    partitionkey: key,
    sequence: String(data.number),
    previoustime: time,
    traceparent: `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`,
    data,
  }
  return new Promise((resolve, reject) => {
    const options = { persistent: true, mandatory: true, messageId: id, contentType: 'application/cloudevents+json' }
    publisher.sendToQueue(queue, Buffer.from(JSON.stringify(body)), options, (error) =>
      error === null ? resolve() : reject(error as Error),
    )
  })
}
