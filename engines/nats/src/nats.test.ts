import { randomUUID } from 'node:crypto'
import type { JetStreamManager } from '@nats-io/jetstream'
import { AckPolicy, DeliverPolicy, DiscardPolicy, jetstreamManager, RetentionPolicy } from '@nats-io/jetstream'
import type { Msg, NatsConnection } from '@nats-io/transport-node'
import { connect } from '@nats-io/transport-node'
import { brokerConformance } from 'skerry/conformance'
import type { Broker, BrokerStatus, Delivery, Disposition, Message } from 'skerry/engine'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startNats } from '../../../test/services/nats.ts'
import type { NatsOptions } from './index.ts'
import { nats } from './index.ts'

const url = process.env['SKERRY_TEST_NATS_URL']!
const { host, hostname, username, password } = new URL(url)

describe('conformance', () => {
  const engine = nats({ url, retryDelayMs: 5, onWarning: () => undefined })
  test.each(brokerConformance)('$name', async (promise) => {
    await expect(promise.run(engine)).resolves.toBeUndefined()
  })
})

/** Each test has a stream of its own. */
let name: string
let raw: NatsConnection
let jsm: JetStreamManager
let brokers: Broker[]
let warnings: string[]

beforeAll(async () => {
  raw = await connect({ servers: host, user: username, pass: password })
  jsm = await jetstreamManager(raw)
})
afterAll(() => raw.close())
beforeEach(() => {
  name = `t-${randomUUID()}`
  brokers = []
  warnings = []
})
afterEach(async () => {
  await Promise.all(brokers.map((broker) => broker.close()))
  await jsm.streams.delete(name).catch(() => undefined)
})

describe('on the wire', () => {
  test('a consumer is a durable for each of its topics, there before the first message', async () => {
    const broker = await open({}, [{ name: 'billing', topics: ['orders', 'returns'] }])
    expect(await broker.publish([message('1')])).toEqual([{ kind: 'confirmed' }])
    expect((await jsm.streams.info(name)).config).toMatchObject({
      subjects: [`${name}.>`],
      retention: 'limits',
      storage: 'file',
      discard: 'new',
    })
    const { config, num_pending } = await jsm.consumers.info(name, 'billing__orders')
    expect(config).toMatchObject({ filter_subject: `${name}.orders`, ack_policy: 'explicit', max_deliver: -1, max_ack_pending: -1 })
    expect(num_pending).toBe(1)
    expect((await jsm.consumers.info(name, 'billing__returns')).num_pending).toBe(0)
  })

  test('an event is the structured form of a CloudEvent, recognised by its id', async () => {
    const seen: Msg[] = []
    raw.subscribe(`${name}.orders`, { callback: (_, received) => void seen.push(received) })
    await raw.flush()
    const broker = await open()
    await broker.publish([message('1', { key: 'order 1', redelivered: true })])
    await eventually(() => seen.length).toBe(1)
    const [{ data, headers }] = seen as [Msg]
    expect(Buffer.from(data).toString()).toBe(message('1').body)
    expect(headers?.get('Content-Type')).toBe('application/cloudevents+json; charset=utf-8')
    expect(headers?.get('Nats-Msg-Id')).toBe('1')
    expect(headers?.get('Nats-Expected-Stream')).toBe(name)
    expect(['Skerry-Id', 'Skerry-Type', 'Skerry-Key', 'Skerry-Redelivered'].map((header) => headers?.get(header))).toEqual([
      '1',
      'orders.placed',
      'order%201',
      'true',
    ])
  })

  test('what was published twice is kept once', async () => {
    const broker = await open()
    const [first, second] = [await broker.publish([message('1')]), await broker.publish([message('1'), message('2')])]
    expect([...first, ...second]).toEqual(Array.from({ length: 3 }, () => ({ kind: 'confirmed' })))
    expect((await jsm.consumers.info(name, 'billing__orders')).num_pending).toBe(2)
  })

  test('what is no event arrives all the same, with an id that stays', async () => {
    const broker = await open()
    let answers = 0
    const billing = await subscribe(broker, async () => (++answers < 2 ? 'requeue' : 'ack'))
    raw.publish(`${name}.orders`, Buffer.from([0x7b, 0xff, 0x00]))
    await eventually(() => billing.length).toBe(2)
    expect(billing[0]!.message).toEqual({
      id: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      topic: 'orders',
      type: '',
      key: '',
      body: '{\ufffd\u0000',
    })
    expect(billing[1]!.message.id).toBe(billing[0]!.message.id)
    expect(billing.map(({ redelivered }) => redelivered)).toEqual([false, true])
  })

  test('with room for a single unconfirmed message all still travel, in order', async () => {
    const broker = await open({ maxUnconfirmed: 1 })
    const billing = await subscribe(broker)
    const ids = Array.from({ length: 50 }, (_, index) => String(index))
    expect(await broker.publish(ids.map((id) => message(id)))).toEqual(ids.map(() => ({ kind: 'confirmed' })))
    await eventually(() => billing.map((delivery) => delivery.message.id)).toEqual(ids)
  })

  test('a message larger than all that may be unconfirmed travels alone; one larger than the server takes fails, alone', async () => {
    const broker = await open({ maxUnconfirmedBytes: 1_000 })
    const billing = await subscribe(broker)
    const limitBytes = raw.info!.max_payload
    const outcomes = await broker.publish([
      message('1', { body: 'x'.repeat(5_000) }),
      message('2', { body: 'x'.repeat(limitBytes) }),
      message('3'),
    ])
    expect(outcomes).toEqual([
      { kind: 'confirmed' },
      { kind: 'failed', reason: expect.stringContaining(`with headers the server takes ${limitBytes}: raise max_payload`) },
      { kind: 'confirmed' },
    ])
    await eventually(() => billing.map((delivery) => delivery.message.id)).toEqual(['1', '3'])
  })

  test('a promise to a foreign consumer over AMQP cannot be kept: told once for each queue', async () => {
    const broker = await open()
    const amqp = { queue: 'their-orders', durable: true, data: '{}' }
    expect(await broker.publish([message('1', { bindings: { amqp } }), message('2', { bindings: { amqp } })])).toEqual([
      { kind: 'confirmed' },
      { kind: 'confirmed' },
    ])
    expect(warnings).toEqual([expect.stringContaining('AMQP queue "their-orders", which does not exist on NATS')])
  })
})

describe('interest', () => {
  test('of somebody whom this system does not know makes a topic routable, from the moment there is some', async () => {
    const broker = await open()
    expect(await broker.publish([message('1', { topic: 'returns' })])).toEqual([{ kind: 'unroutable' }])
    expect(await broker.publish([message('2', { topic: 'returns' })])).toEqual([{ kind: 'unroutable' }])
    await jsm.consumers.add(name, { durable_name: 'auditor', ack_policy: AckPolicy.Explicit, filter_subject: `${name}.*` })
    await eventually(async () => (await broker.publish([message('3', { topic: 'returns' })]))[0]?.kind).toBe('confirmed')
    expect((await jsm.consumers.info(name, 'auditor')).num_pending).toBe(1)
  })

  test('holds a message until every consumer has it, and no longer: one that was removed holds nothing back', async () => {
    const broker = await open({}, [
      { name: 'billing', topics: ['orders'] },
      { name: 'removed', topics: ['orders'] },
    ])
    const billing = await subscribe(broker)
    expect(await broker.publish([message('1'), message('2'), message('3')])).toHaveLength(3)
    await eventually(() => billing.length).toBe(3)
    await eventually(async () => (await jsm.consumers.info(name, 'billing__orders')).num_ack_pending).toBe(0)
    expect((await jsm.streams.info(name)).state.messages).toBe(3)
    // As the operator does it: first a system without it, then the durable goes.
    await broker.close()
    const without = await open()
    await jsm.consumers.delete(name, 'removed__orders')
    await eventually(async () => (await jsm.streams.info(name)).state.messages).toBe(0)
    const after = await subscribe(without)
    expect(await without.publish([message('4')])).toEqual([{ kind: 'confirmed' }])
    await eventually(() => after.map((delivery) => delivery.message.id)).toEqual(['4'])
    await eventually(async () => (await jsm.streams.info(name)).state.messages).toBe(0)
    const left: string[] = []
    for await (const info of jsm.consumers.list(name)) left.push(info.name)
    expect(left).toEqual(['billing__orders'])
  })

  test('holds back what one consumer has in hand or is to get again, although the others have done with it', async () => {
    const broker = await open({ retryDelayMs: 60_000 }, [
      { name: 'billing', topics: ['orders'] },
      { name: 'audit', topics: ['orders'] },
    ])
    const rounds = await tidyingRounds()
    const inHand = Promise.withResolvers<Disposition>()
    try {
      const billing = await subscribe(broker)
      const answers: Record<string, Promise<Disposition>> = { '1': inHand.promise, '2': Promise.resolve('requeue') }
      const audit = await subscribe(broker, ({ message: { id } }) => answers[id] ?? Promise.resolve('ack'), 'audit')
      expect(await broker.publish([message('1'), message('2'), message('3')])).toHaveLength(3)
      await eventually(() => [billing.length, audit.length]).toEqual([3, 3])
      await eventually(async () => (await jsm.consumers.info(name, 'billing__orders')).num_ack_pending).toBe(0)
      await eventually(async () => (await jsm.consumers.info(name, 'audit__orders')).num_ack_pending).toBe(2)
      await rounds(3)
      expect((await jsm.streams.info(name)).state).toMatchObject({ messages: 3, first_seq: 1 })
      inHand.resolve('ack')
      await eventually(async () => (await jsm.streams.info(name)).state.first_seq).toBe(2)
      await rounds(3)
      expect((await jsm.streams.info(name)).state).toMatchObject({ messages: 2, first_seq: 2 })
      expect(audit).toHaveLength(3)
    } finally {
      inHand.resolve('ack')
    }
  })

  test('holds back what nobody has fetched for a consumer yet', async () => {
    const broker = await open({}, [
      { name: 'billing', topics: ['orders'] },
      { name: 'away', topics: ['orders'] },
    ])
    const rounds = await tidyingRounds()
    const billing = await subscribe(broker)
    const first = await broker.subscribe({ name: 'away', topics: ['orders'], prefetch: 1, handle: async () => 'ack' })
    expect(await broker.publish([message('1')])).toEqual([{ kind: 'confirmed' }])
    await eventually(async () => (await jsm.streams.info(name)).state.messages).toBe(0)
    await first.close()
    expect(await broker.publish([message('2'), message('3')])).toHaveLength(2)
    await eventually(() => billing.length).toBe(3)
    await eventually(async () => (await jsm.consumers.info(name, 'billing__orders')).num_ack_pending).toBe(0)
    await rounds(3)
    const away = await subscribe(broker, async () => 'ack', 'away')
    await eventually(() => away.map((delivery) => delivery.message.id)).toEqual(['2', '3'])
    await eventually(async () => (await jsm.streams.info(name)).state.messages).toBe(0)
  })

  test('holds back for consumers that it does not declare itself', async () => {
    const broker = await open()
    const billing = await subscribe(broker)
    const rounds = await tidyingRounds()
    const other = await open({}, [{ name: 'elsewhere', topics: ['orders'] }])
    await eventually(() => other.status()).toEqual({ up: true })
    await other.close()
    expect(await broker.publish([message('1')])).toEqual([{ kind: 'confirmed' }])
    await eventually(() => billing.length).toBe(1)
    await eventually(async () => (await jsm.consumers.info(name, 'billing__orders')).num_ack_pending).toBe(0)
    await rounds(3)
    expect((await jsm.consumers.info(name, 'elsewhere__orders')).num_pending).toBe(1)
    expect((await jsm.streams.info(name)).state.messages).toBe(1)
  })

  test('begins with the consumer: what others have not yet handled is not delivered to it', async () => {
    const early = await open()
    expect(await early.publish([message('1')])).toEqual([{ kind: 'confirmed' }])
    const both = await open({}, [
      { name: 'billing', topics: ['orders'] },
      { name: 'late', topics: ['orders'] },
    ])
    expect(await both.publish([message('2')])).toEqual([{ kind: 'confirmed' }])
    const [billing, late] = [await subscribe(both), await subscribe(both, async () => 'ack', 'late')]
    await eventually(() => billing.length).toBe(2)
    await eventually(() => late.map((delivery) => delivery.message.id)).toEqual(['2'])
    await eventually(async () => (await jsm.streams.info(name)).state.messages).toBe(0)
  })
})

describe('what is deleted under us is declared again:', () => {
  test('the durable of a subscriber', async () => {
    const broker = await open()
    const billing = await subscribe(broker)
    for (const id of ['1', '2', '3']) {
      const { created } = await jsm.consumers.info(name, 'billing__orders')
      await jsm.consumers.delete(name, 'billing__orders')
      await eventually(async () => {
        const info = await jsm.consumers.info(name, 'billing__orders').catch(() => undefined)
        return info !== undefined && info.created !== created
      }).toBe(true)
      expect(await broker.publish([message(id)])).toEqual([{ kind: 'confirmed' }])
      await eventually(() => billing.map((delivery) => delivery.message.id)).toContain(id)
    }
    await eventually(() => broker.status()).toEqual({ up: true })
  })

  test('the durable of a declared consumer, which then gets what it has missed', async () => {
    const broker = await open()
    expect(await broker.publish([message('1')])).toEqual([{ kind: 'confirmed' }])
    await jsm.consumers.delete(name, 'billing__orders')
    expect(await broker.publish([message('2')])).toEqual([{ kind: 'confirmed' }])
    await eventually(async () => (await jsm.consumers.info(name, 'billing__orders').catch(() => undefined))?.num_pending).toBe(2)
  })

  test('the stream', async () => {
    const broker = await open()
    const billing = await subscribe(broker)
    expect(await broker.publish([message('0')])).toEqual([{ kind: 'confirmed' }])
    await jsm.streams.delete(name)
    await eventually(async () => (await broker.publish([message('1')]))[0]?.kind).toBe('confirmed')
    await eventually(() => billing.map((delivery) => delivery.message.id)).toContain('1')
    await eventually(() => broker.status()).toEqual({ up: true })
  })

  test('the stream, just before the consumer asks for more: a request to what is not there is never answered', async () => {
    const broker = await open()
    const handled: string[] = []
    const handling = Promise.withResolvers<void>()
    await broker.subscribe({
      name: 'billing',
      topics: ['orders'],
      prefetch: 1,
      handle: async ({ message: { id } }) => {
        handled.push(id)
        if (id === '0') await handling.promise
        return 'ack'
      },
    })
    expect(await broker.publish([message('0')])).toEqual([{ kind: 'confirmed' }])
    await eventually(() => handled).toEqual(['0'])
    await jsm.streams.delete(name)
    handling.resolve()
    await eventually(async () => (await broker.publish([message('1')]))[0]?.kind).toBe('confirmed')
    await eventually(() => handled).toContain('1')
  })
})

describe('a stream of our name', () => {
  test('that is not ours is reported, and taken when it is gone', async () => {
    await jsm.streams.add({ name, subjects: [`${name}.>`], retention: RetentionPolicy.Interest })
    const broker = await open()
    expect(await broker.publish([message('1')])).toEqual([
      {
        kind: 'failed',
        reason: expect.stringContaining(`stream "${name}" exists and is not Skerry's: its retention is interest, not limits`),
      },
    ])
    await jsm.streams.delete(name)
    await eventually(async () => (await broker.publish([message('1')]))[0]?.kind).toBe('confirmed')
  })

  test('that may lose events is taken as its operator made it, with a warning', async () => {
    await jsm.streams.add({
      name,
      subjects: [`${name}.>`],
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      max_age: 3_600_000_000_000,
    })
    const broker = await open()
    expect(await broker.publish([message('1')])).toEqual([{ kind: 'confirmed' }])
    expect(warnings).toEqual([expect.stringContaining('drops messages by age'), expect.stringContaining('when it is full')])
  })
})

test('a consumer that exists keeps what its operator has set, but for the ack wait', async () => {
  await open()
  await eventually(async () => (await jsm.consumers.info(name, 'billing__orders').catch(() => undefined))?.config.ack_wait).toBe(30e9)
  await jsm.consumers.update(name, 'billing__orders', { max_ack_pending: 500 })
  const other = await open({ ackWaitMs: 7_000 })
  await eventually(() => other.status()).toEqual({ up: true })
  expect((await jsm.consumers.info(name, 'billing__orders')).config).toMatchObject({
    ack_wait: 7e9,
    max_ack_pending: 500,
    deliver_policy: DeliverPolicy.New,
  })
})

test('a handler that takes longer than the ack wait keeps its message', async () => {
  const broker = await open({ ackWaitMs: 300 })
  let finish: (() => void) | undefined
  const billing = await subscribe(broker, () => new Promise((resolve) => (finish = () => resolve('ack'))))
  expect(await broker.publish([message('1')])).toEqual([{ kind: 'confirmed' }])
  await eventually(() => billing.length).toBe(1)
  // The deliveries of another consumer that gives no sign of life, by NATS's own count, tell that several ack waits have passed.
  await jsm.consumers.add(name, {
    durable_name: 'clock',
    ack_policy: AckPolicy.Explicit,
    ack_wait: 300e6,
    filter_subject: `${name}.orders`,
  })
  let waits = 0
  const inbox = `${name}-clock`
  raw.subscribe(inbox, { callback: () => void waits++ })
  raw.publish(`$JS.API.CONSUMER.MSG.NEXT.${name}.clock`, JSON.stringify({ batch: 5, expires: 20e9 }), { reply: inbox })
  await eventually(() => waits).toBeGreaterThan(4)
  expect(billing).toHaveLength(1)
  finish!()
  await eventually(async () => (await jsm.consumers.info(name, 'billing__orders')).num_ack_pending).toBe(0)
  expect(billing).toHaveLength(1)
})

describe('a door that stays closed is named, without the password:', () => {
  test.each([
    ['a wrong password', `nats://${username}:not-the-pass-word@${host}`, `user "${username}" was refused: check the name and the password`],
    ['no name', `nats://${host}`, 'it wants to know who we are'],
    ['nobody there', `nats://${username}:${password}@${hostname}:1`, `nothing listens at ${hostname}:1 (ECONNREFUSED)`],
    ['no TLS there', `tls://${username}:${password}@${host}`, `${host} does not offer TLS`],
    ['no such host', `nats://${username}:${password}@nowhere.invalid`, 'the name nowhere.invalid cannot be resolved'],
  ])('%s', async (_, wrong, reason) => {
    const told: BrokerStatus[] = []
    const broker = await open({ url: wrong }, undefined, (status) => told.push(status))
    expect(await broker.publish([message('1')])).toEqual([{ kind: 'failed', reason: expect.stringContaining(reason) }])
    expect(broker.status()).toEqual({ up: false, reason: expect.stringContaining(reason) })
    expect(told).toEqual([broker.status()])
    for (const secret of [password, 'not-the-pass-word']) expect(JSON.stringify([told, broker.description])).not.toContain(secret)
  })

  test('no JetStream there', async () => {
    const plain = await startNats({ jetstream: false })
    try {
      const broker = await open({ url: plain.url })
      expect(await broker.publish([message('1')])).toEqual([
        { kind: 'failed', reason: expect.stringContaining('JetStream is not enabled there: start nats-server with --jetstream') },
      ])
      await broker.close()
    } finally {
      await plain.close()
    }
  })

  test('a subscription waits meanwhile, and ends with the broker', async () => {
    const broker = await open({ url: `nats://${hostname}:1` })
    const subscribing = broker.subscribe({ name: 'billing', topics: ['orders'], prefetch: 1, handle: async () => 'ack' })
    await eventually(() => broker.status()).toMatchObject({ reason: expect.stringContaining('ECONNREFUSED') })
    await broker.close()
    await expect(subscribing).resolves.toBeDefined()
  })
})

test('of several addresses the next is tried when one does not answer', async () => {
  const broker = await open({ url: [`nats://${hostname}:1`, url] })
  expect(broker.description).toBe(`NATS at ${hostname}:1, ${host}`)
  await eventually(async () => (await broker.publish([message('1')]))[0]?.kind).toBe('confirmed')
})

async function open(
  options: Partial<NatsOptions> = {},
  consumers = [{ name: 'billing', topics: ['orders'] }],
  onStatus: (status: BrokerStatus) => void = () => undefined,
): Promise<Broker> {
  const engine = nats({
    url,
    prefix: name,
    retryDelayMs: 5,
    tidyEveryMs: 20,
    maxReconnectDelayMs: 200,
    onWarning: (warning) => warnings.push(warning),
    ...options,
  })
  const broker = await engine.open({ consumers, onStatus })
  brokers.push(broker)
  return broker
}

/** Resolves with a function that waits until so many rounds of tidying have begun and ended since it was called. */
async function tidyingRounds(): Promise<(count: number) => Promise<void>> {
  let asked = 0
  raw.subscribe(`$JS.API.CONSUMER.LIST.${name}`, { callback: () => void asked++ })
  await raw.flush()
  return async (count) => {
    const before = asked
    // One more, so that the last of them has ended.
    await eventually(() => asked).toBeGreaterThan(before + count)
  }
}

/** Resolves with the list that deliveries are written to. */
async function subscribe(
  broker: Broker,
  handle: (delivery: Delivery) => Promise<Disposition> = async () => 'ack',
  consumer = 'billing',
): Promise<Delivery[]> {
  const deliveries: Delivery[] = []
  await broker.subscribe({
    name: consumer,
    topics: ['orders'],
    prefetch: 10,
    handle(delivery) {
      deliveries.push(delivery)
      return handle(delivery)
    },
  })
  return deliveries
}

function message(id: string, more: Partial<Message> = {}): Message {
  return {
    id,
    topic: 'orders',
    type: 'orders.placed',
    key: 'key',
    body: JSON.stringify({ specversion: '1.0', id, data: { ä: 1 } }),
    ...more,
  }
}

/** Waits on a condition: long, because a loaded machine is not a failure. */
function eventually<T>(value: () => T) {
  return expect.poll(value, { timeout: 20_000, interval: 5 })
}
