/** A RabbitMQ of our own that stops, dies and comes back while messages are on their way. What was confirmed must arrive. */
import type { Broker, BrokerEngine, Delivery, Message } from 'skerry/engine'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RabbitmqServer } from '../../../test/services/rabbitmq.ts'
import { startRabbitmq } from '../../../test/services/rabbitmq.ts'
import { rabbitmq } from './index.ts'

const OUTAGE_MS = 180_000

let server: RabbitmqServer
let engine: BrokerEngine

beforeAll(async () => {
  server = await startRabbitmq()
  engine = rabbitmq({ url: server.url, retryDelayMs: 5, maxReconnectDelayMs: 500 })
}, OUTAGE_MS)
afterAll(() => server.close())

test('a broker that is down at the start is used as soon as it comes up', { timeout: OUTAGE_MS }, async () => {
  await server.stop()
  const broker = await engine.open({ consumers: [{ name: 'early', topics: ['early'] }] })
  const subscribing = subscribe(broker, 'early')
  expect(await broker.publish([message('early', '1')])).toEqual([{ kind: 'failed', reason: expect.stringContaining('ECONNREFUSED') }])
  expect(broker.status()).toEqual({ up: false, reason: expect.stringContaining('nothing listens at') })
  await server.start()
  const deliveries = await subscribing
  await publishUntilConfirmed(broker, [message('early', '1')])
  expect(broker.status()).toEqual({ up: true })
  await expect.poll(() => deliveries.length).toBeGreaterThan(0)
  await broker.close()
})

test.each([
  ['killed', 2, (): Promise<void> => server.kill()],
  ['stopped', 1, (): Promise<void> => server.stop()],
])('a broker that is %s under load loses nothing that it has confirmed (%i times)', { timeout: OUTAGE_MS }, async (how, outages, end) => {
  const topic = `load-${how}`
  const consumers = [{ name: topic, topics: [topic] }]
  // Declared and restarted cleanly first: RabbitMQ writes the name of a new quorum queue to disk only some time after it has confirmed it.
  const earlier = await engine.open({ consumers })
  await publishUntilConfirmed(earlier, [message(topic, 'first')])
  await earlier.close()
  await server.stop()
  await server.start()

  const publishing = await engine.open({ consumers })
  const consuming = await engine.open({ consumers })
  const deliveries = await subscribe(consuming, topic)
  const confirmed: string[] = []
  const stop = new AbortController()
  const load = Array.from({ length: 4 }, async (_, publisher) => {
    for (let batch = 0; !stop.signal.aborted; batch++) {
      const ids = Array.from({ length: 50 }, (_, index) => `${publisher}.${batch}.${index}`)
      await publishUntilConfirmed(
        publishing,
        ids.map((id) => message(topic, id)),
      )
      confirmed.push(...ids)
    }
  })
  for (let outage = 0; outage < outages; outage++) {
    const [before, deliveredBefore] = [confirmed.length, deliveries.length]
    await expect.poll(() => confirmed.length, { timeout: OUTAGE_MS, interval: 5 }).toBeGreaterThan(before + 500)
    await expect.poll(() => deliveries.length, { timeout: OUTAGE_MS, interval: 5 }).toBeGreaterThan(deliveredBefore + 500)
    await end()
    await expect.poll(() => [publishing.status().up, consuming.status().up], { timeout: OUTAGE_MS }).toEqual([false, false])
    await server.start()
  }
  const recoveredAt = confirmed.length
  await expect.poll(() => confirmed.length, { timeout: OUTAGE_MS }).toBeGreaterThan(recoveredAt + 500)
  stop.abort()
  await Promise.all(load)

  await expect
    .poll(
      () => {
        const delivered = new Set(deliveries.map(({ message }) => message.id))
        return ['first', ...confirmed].filter((id) => !delivered.has(id))
      },
      { timeout: OUTAGE_MS, interval: 100 },
    )
    .toEqual([])
  await Promise.all([publishing.close(), consuming.close()])
})

async function subscribe(broker: Broker, name: string): Promise<Delivery[]> {
  const deliveries: Delivery[] = []
  await broker.subscribe({
    name,
    topics: [name],
    prefetch: 100,
    async handle(delivery) {
      deliveries.push(delivery)
      return 'ack'
    },
  })
  return deliveries
}

function message(topic: string, id: string): Message {
  return { id, topic, type: 'load.happened', key: id, body: JSON.stringify({ specversion: '1.0', id, data: 'x'.repeat(200) }) }
}

/** As the relay does: what failed is published again, after a pause. */
async function publishUntilConfirmed(broker: Broker, batch: readonly Message[]): Promise<void> {
  let left = batch
  await expect
    .poll(
      async () => {
        const outcomes = await broker.publish(left)
        left = left.filter((_, index) => outcomes[index]!.kind !== 'confirmed')
        return left.length
      },
      { timeout: OUTAGE_MS, interval: 50 },
    )
    .toBe(0)
}
