/**
 * What needs no broker runs always; the promises of the port run against the cluster that SKERRY_TEST_KAFKA_URL names, such as
 * kafka://localhost:9092. fixtures/librdkafka-mock.py starts one that speaks Kafka's protocol and keeps nothing.
 */
import { brokerConformance } from 'skerry/conformance'
import type { Broker, BrokerStatus, Message } from 'skerry/engine'
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
