/**
 * What needs no broker runs always; the promises of the port run against the cluster that SKERRY_TEST_KAFKA_URL names, such as
 * kafka://localhost:9092. fixtures/librdkafka-mock.py starts one that speaks Kafka's protocol and keeps nothing.
 */
import { randomUUID } from 'node:crypto'
import { Consumer, Producer } from '@platformatic/kafka'
import { brokerConformance } from 'skerry/conformance'
import type { Broker, BrokerStatus, Delivery, Message } from 'skerry/engine'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KafkaOptions } from './index.ts'
import { kafka } from './index.ts'

const url = process.env['SKERRY_TEST_KAFKA_URL']

/** What the port promises and a consumer group cannot: with the reason. */
const OUT_OF_REACH: Readonly<Record<string, string>> = {
  'close() waits for what is in progress and takes its answer':
    'a partition has one instance at a time: no other goes on behind a message that is still in progress',
}

describe.skipIf(url === undefined)(`conformance${url === undefined ? ' (SKERRY_TEST_KAFKA_URL names no cluster)' : ''}`, () => {
  const engine = kafka({
    url: url ?? 'kafka://nowhere.invalid',
    retryDelayMs: 5,
    sessionTimeoutMs: 6_000,
    partitions: 4,
    onWarning: () => undefined,
  })
  for (const promise of brokerConformance) {
    const reason = OUT_OF_REACH[promise.name]
    test.skipIf(reason !== undefined)(reason === undefined ? promise.name : `${promise.name} (${reason})`, async () => {
      await expect(promise.run(engine)).resolves.toBeUndefined()
    })
  }
})

describe.skipIf(url === undefined)('with a cluster', () => {
  const prefix = `t-${randomUUID()}`
  const options = { url: url ?? 'kafka://nowhere.invalid', prefix, retryDelayMs: 5, sessionTimeoutMs: 6_000, partitions: 4 }

  test('nothing is lost while instances come and go, and what is settled does not come again', { timeout: 300_000 }, async () => {
    const consumers = [{ name: 'billing', topics: ['orders'] }]
    const publisher = await kafka(options).open({ consumers })
    const seen = new Map<string, number>()
    const join = async (): Promise<Broker> => {
      const broker = await kafka(options).open({ consumers })
      await broker.subscribe({
        ...consumers[0]!,
        prefetch: 20,
        handle: async ({ message: { id } }) => {
          await new Promise((resolve) => setImmediate(resolve))
          const times = (seen.get(id) ?? 0) + 1
          seen.set(id, times)
          return times === 1 && Number(id) % 7 === 0 ? 'requeue' : 'ack'
        },
      })
      return broker
    }
    const ids = Array.from({ length: 2_000 }, (_, index) => String(index))
    const instances: Broker[] = []
    const steps = [
      async () => void instances.push(await join()),
      async () => void instances.push(await join()),
      async () => instances.shift()?.close(),
      async () => void instances.push(await join()),
    ]
    for (const [index, step] of steps.entries()) {
      const some = ids.slice(index * 500, index * 500 + 500)
      const publishing = publisher.publish(some.map((id) => ({ ...message(id), key: `key ${Number(id) % 50}` })))
      await step()
      expect((await publishing).every(({ kind }) => kind === 'confirmed')).toBe(true)
    }
    await expect
      .poll(() => ids.filter((id) => !seen.has(id) || (Number(id) % 7 === 0 && seen.get(id) === 1)), { timeout: 90_000 })
      .toEqual([])
    const { host } = new URL(options.url)
    const group = new Consumer({ clientId: 'looker', groupId: `${prefix}.billing`, bootstrapBrokers: [host] })
    const committed = async (): Promise<number> => {
      const topic = `${prefix}.orders`
      const offsets = await group.listCommittedOffsets({ topics: [{ topic, partitions: [0, 1, 2, 3] }] })
      return (offsets.get(topic) ?? []).reduce((sum, offset) => sum + Math.max(0, Number(offset)), 0)
    }
    await expect.poll(committed, { timeout: 90_000 }).toBe(ids.length)
    await group.close()
    await Promise.all(instances.map((instance) => instance.close()))
    const last = message('last')
    const after: Delivery[] = []
    const next = await kafka(options).open({ consumers })
    await next.subscribe({ ...consumers[0]!, prefetch: 20, handle: async (delivery) => (after.push(delivery), 'ack') })
    await publisher.publish([last])
    await expect.poll(() => after.map((delivery) => delivery.message.id), { timeout: 90_000 }).toContain('last')
    expect(after.map((delivery) => delivery.message.id)).toEqual(['last'])
    await Promise.all([publisher.close(), next.close()])
  })

  test('what somebody else has put into a topic arrives, with an id that stays', async () => {
    const consumers = [{ name: 'audit', topics: ['returns'] }]
    const broker = await kafka(options).open({ consumers })
    const deliveries: Delivery[] = []
    await broker.subscribe({
      ...consumers[0]!,
      prefetch: 1,
      handle: async (delivery) => (deliveries.push(delivery) < 2 ? 'requeue' : 'ack'),
    })
    const { host } = new URL(options.url)
    const stranger = new Producer({ clientId: 'stranger', bootstrapBrokers: [host] })
    await stranger.send({ messages: [{ topic: `${prefix}.returns`, partition: 1, value: Buffer.from([0x7b, 0xff]) }], acks: -1 })
    await expect.poll(() => deliveries.length).toBe(2)
    expect(deliveries.map(({ message: { id, topic, body }, redelivered }) => [id, topic, body, redelivered])).toEqual([
      [`kafka:${prefix}.returns/1/0`, 'returns', '{\ufffd', false],
      [`kafka:${prefix}.returns/1/0`, 'returns', '{\ufffd', true],
    ])
    await Promise.all([broker.close(), stranger.close()])
  })
})

describe('without a broker', () => {
  let brokers: Broker[]
  beforeEach(() => (brokers = []))
  afterEach(() => Promise.all(brokers.map((broker) => broker.close())))

  test.each([
    ['nobody there', 'kafka://ann:s3cret@127.0.0.1:1', 'nothing listens at 127.0.0.1:1 (ECONNREFUSED)'],
    ['no such host', 'kafka://ann:s3cret@nowhere.invalid', 'the name nowhere.invalid cannot be resolved'],
  ])('messages fail with the reason, without the password: %s', async (_, wrong, reason) => {
    const told: BrokerStatus[] = []
    const broker = await open({ url: wrong }, (status) => told.push(status))
    expect(await broker.publish([message('1'), message('2')])).toEqual([failed(reason), failed(reason)])
    expect(broker.status()).toEqual({ up: false, reason: expect.stringContaining(reason) })
    expect(told).toContainEqual(broker.status())
    expect(await broker.publish([message('3')])).toEqual([failed(reason)])
    expect(JSON.stringify([told, broker.description])).not.toContain('s3cret')
  })

  test('a subscription waits, and ends with the broker', async () => {
    const broker = await open({ url: 'kafka://127.0.0.1:1' })
    const subscribing = broker.subscribe({ name: 'billing', topics: ['orders'], prefetch: 1, handle: async () => 'ack' })
    await expect.poll(() => broker.status()).toMatchObject({ reason: expect.stringContaining('ECONNREFUSED') })
    await broker.close()
    await expect(subscribing).resolves.toBeDefined()
    expect(broker.status()).toEqual({ up: false, reason: 'closed' })
  })

  test('a prefetch that is no prefetch is refused, and so is whoever comes after the end', async () => {
    const broker = await open({ url: 'kafka://127.0.0.1:1' })
    const subscribe = (prefetch: number) => broker.subscribe({ name: 'billing', topics: ['orders'], prefetch, handle: async () => 'ack' })
    await expect(subscribe(0)).rejects.toThrow(RangeError)
    await broker.close()
    await expect(subscribe(1)).rejects.toThrow(/closed/)
    expect(await broker.publish([message('1')])).toEqual([failed('was closed')])
  })

  async function open(options: KafkaOptions, onStatus: (status: BrokerStatus) => void = () => undefined): Promise<Broker> {
    const engine = kafka({ maxReconnectDelayMs: 50, ...options })
    const broker = await engine.open({ consumers: [{ name: 'billing', topics: ['orders'] }], onStatus })
    brokers.push(broker)
    return broker
  }
})

function message(id: string): Message {
  return { id, topic: 'orders', type: 'orders.placed', key: 'key', body: '{}' }
}

function failed(reason: string): unknown {
  return { kind: 'failed', reason: expect.stringContaining(reason) }
}
