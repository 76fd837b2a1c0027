import { randomUUID } from 'node:crypto'
import type { Channel, ConsumeMessage, Options } from 'amqplib'
import { connect } from 'amqplib'
import { brokerConformance } from 'skerry/conformance'
import type { Broker, BrokerStatus, Delivery, Disposition, Message, PublishOutcome } from 'skerry/engine'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { RabbitmqOptions } from './index.ts'
import { rabbitmq } from './index.ts'

const url = process.env['SKERRY_TEST_RABBITMQ_URL']!

describe('conformance', () => {
  const engine = rabbitmq({ url, retryDelayMs: 5 })
  test.each(brokerConformance)('$name', async (promise) => {
    await expect(promise.run(engine)).resolves.toBeUndefined()
  })
})

/** Each test has its own exchange, queues and topic. */
let name: string
let raw: Awaited<ReturnType<typeof connect>>
let channel: Channel
let brokers: Broker[]
let warnings: string[]

beforeAll(async () => {
  raw = await connect(url)
})
afterAll(() => raw.close())
beforeEach(async () => {
  name = `t-${randomUUID()}`
  brokers = []
  warnings = []
  channel = await raw.createChannel()
  channel.on('error', () => undefined)
})
afterEach(async () => {
  await Promise.all(brokers.map((broker) => broker.close()))
  await channel.close().catch(() => undefined)
})

describe('on the wire', () => {
  test('a consumer is a durable quorum queue, bound to its topics, there before the first message', async () => {
    const broker = await open()
    expect(await broker.publish([message('1')])).toEqual([{ kind: 'confirmed' }])
    await expect(channel.assertQueue(`${name}.billing`, { durable: true, arguments: { 'x-queue-type': 'quorum' } })).resolves.toMatchObject(
      {
        messageCount: 1,
      },
    )
  })

  test('an event is a persistent message in the structured form of CloudEvents', async () => {
    const tapped = await tap()
    const broker = await open()
    await broker.publish([message('1', { key: 'order 1', redelivered: true })])
    const { content, properties, fields } = await tapped.next()
    expect(content.toString()).toBe(message('1').body)
    expect(fields).toMatchObject({ exchange: name, routingKey: name })
    expect(properties).toMatchObject({
      contentType: 'application/cloudevents+json; charset=utf-8',
      deliveryMode: 2,
      messageId: '1',
      type: 'orders.placed',
      headers: { 'skerry-key': 'order 1', 'skerry-redelivered': true },
    })
  })

  test('what is no event arrives all the same, with an id that stays', async () => {
    const broker = await open()
    let answers = 0
    const billing = await subscribe(broker, async () => (++answers < 2 ? 'requeue' : 'ack'))
    channel.publish(name, name, Buffer.from([0x7b, 0xff, 0x00]))
    await eventually(() => billing.length).toBe(2)
    expect(billing[0]!.message).toEqual({
      id: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      topic: name,
      type: '',
      key: '',
      body: '{\ufffd\u0000',
    })
    expect(billing[1]!.message.id).toBe(billing[0]!.message.id)
    expect(billing.map(({ redelivered }) => redelivered)).toEqual([false, true])
  })

  test('properties of odd types do not disturb', async () => {
    const broker = await open()
    const billing = await subscribe(broker)
    const odd: Options.Publish = { messageId: '', headers: { 'skerry-key': 7, 'skerry-redelivered': 'yes' } }
    channel.publish(name, name, Buffer.from(''), odd)
    await eventually(() => billing.length).toBe(1)
    expect(billing[0]).toMatchObject({ redelivered: false, message: { key: '', body: '' } })
    expect(billing[0]!.message.id).toMatch(/^sha256:e3b0c44298fc1c149afbf4c8996fb924/)
  })

  test('what AMQP cannot say fails, with the reason, and holds back nobody', async () => {
    const broker = await open()
    const billing = await subscribe(broker)
    const outcomes = await broker.publish([message('1'), message('2', { type: 't'.repeat(300) }), message('3')])
    expect(outcomes.map(({ kind }) => kind)).toEqual(['confirmed', 'failed', 'confirmed'])
    expect(outcomes[1]).toMatchObject({ reason: expect.stringContaining('could not be sent') })
    await eventually(() => billing.map(({ message }) => message.id)).toEqual(['1', '3'])
  })

  test('with room for a single unconfirmed message all still travel, in order', async () => {
    const broker = await open({ maxUnconfirmed: 1 })
    const billing = await subscribe(broker)
    const ids = Array.from({ length: 50 }, (_, index) => String(index))
    expect(kinds(await broker.publish(ids.map((id) => message(id))))).toEqual(new Set(['confirmed']))
    await eventually(() => billing.map(({ message }) => message.id)).toEqual(ids)
  })

  test('a message larger than all that may be unconfirmed travels alone', async () => {
    const broker = await open({ maxUnconfirmedBytes: 1_000 })
    const billing = await subscribe(broker)
    const messages = ['1', '2', '3'].map((id) => message(id, { body: 'x'.repeat(5_000) }))
    expect(kinds(await broker.publish(messages))).toEqual(new Set(['confirmed']))
    await eventually(() => billing.length).toBe(3)
  })
})

describe('a foreign queue', () => {
  test('that its consumer has declared, not durable, gets the bare data; told once that it is not what the contract says', async () => {
    // As pika does it: queue_declare(queue='orders').
    await channel.assertQueue(`${name}-orders`, { durable: false })
    const received = await consume(`${name}-orders`)
    const broker = await open()
    const billing = await subscribe(broker)
    expect(await broker.publish([foreign('1', true)])).toEqual([{ kind: 'confirmed' }])
    expect(await broker.publish([foreign('2', true)])).toEqual([{ kind: 'confirmed' }])
    const { content, properties } = await received.next()
    expect(JSON.parse(content.toString())).toEqual({ order: '1' })
    expect(properties).toMatchObject({ contentType: 'application/json', deliveryMode: 2, expiration: '86400000', messageId: '1' })
    expect((await received.next()).content.toString()).toBe('{"order":"2"}')
    await eventually(() => billing.length).toBe(2)
    expect(warnings).toEqual([expect.stringContaining(`Queue "${name}-orders" exists with other properties`)])
  })

  test('that is what the contract says is used without a word', async () => {
    await channel.assertQueue(`${name}-orders`, { durable: false })
    const broker = await open()
    await subscribe(broker)
    expect(await broker.publish([foreign('1', false)])).toEqual([{ kind: 'confirmed' }])
    expect(warnings).toEqual([])
  })

  test('that does not exist is declared so that its consumer’s own declaration fits', async () => {
    const broker = await open()
    await subscribe(broker)
    const outcomes = await broker.publish(['1', '2', '3'].map((id) => foreign(id, false)))
    expect(kinds(outcomes)).toEqual(new Set(['confirmed']))
    await expect(channel.assertQueue(`${name}-orders`, { durable: false })).resolves.toMatchObject({ messageCount: 3 })
    const received = await consume(`${name}-orders`)
    expect([await received.next(), await received.next(), await received.next()].map(({ properties }) => properties.messageId)).toEqual([
      '1',
      '2',
      '3',
    ])
  })

  test('alone makes a message wanted', async () => {
    const broker = await open({}, [])
    expect(await broker.publish([foreign('1', false), message('2')])).toEqual([{ kind: 'confirmed' }, { kind: 'unroutable' }])
  })

  test('that was deleted is declared again', async () => {
    const broker = await open()
    await subscribe(broker)
    expect(await broker.publish([foreign('1', false)])).toEqual([{ kind: 'confirmed' }])
    await channel.deleteQueue(`${name}-orders`)
    expect(await broker.publish([foreign('2', false)])).toEqual([
      { kind: 'failed', reason: `queue "${name}-orders" was deleted; it is declared again` },
    ])
    expect(await broker.publish([foreign('2', false)])).toEqual([{ kind: 'confirmed' }])
  })

  test('that is exclusive to its consumer is published to', async () => {
    const theirs = await connect(url)
    try {
      const exclusive = await theirs.createChannel()
      await exclusive.assertQueue(`${name}-orders`, { exclusive: true })
      const broker = await open()
      await subscribe(broker)
      expect(await broker.publish([foreign('1', false)])).toEqual([{ kind: 'confirmed' }])
      await expect(exclusive.checkQueue(`${name}-orders`)).resolves.toMatchObject({ messageCount: 1 })
    } finally {
      await theirs.close()
    }
  })

  test('that cannot exist fails its own messages and no others', async () => {
    const broker = await open()
    const billing = await subscribe(broker)
    const amqp = { queue: 'amq.reserved', durable: true, data: '{}' }
    const outcomes = await broker.publish([message('1', { bindings: { amqp } }), message('2')])
    expect(outcomes).toEqual([{ kind: 'failed', reason: expect.stringContaining('amq.reserved') }, { kind: 'confirmed' }])
    await eventually(() => billing.length).toBe(2)
  })
})

describe('what is deleted under us is declared again:', () => {
  test('the queue of a subscriber', async () => {
    const statuses: BrokerStatus[] = []
    const broker = await open({}, undefined, (status) => statuses.push(status))
    const billing = await subscribe(broker)
    await eventually(() => broker.status()).toEqual({ up: true })
    await channel.deleteQueue(`${name}.billing`)
    await eventually(() => statuses.map(({ up }) => up)).toEqual([true, false, true])
    expect(statuses[1]).toMatchObject({ reason: expect.stringContaining('consumer "billing": its queue was deleted') })
    expect(await publishUntilConfirmed(broker, message('1'))).toBe('confirmed')
    await eventually(() => billing.map(({ message }) => message.id)).toContain('1')
  })

  test('the queue of a subscriber who has not heard of it when the next message is published', async () => {
    const broker = await open()
    const billing = await subscribe(broker)
    // Until then the publisher may still be declaring it, and would make it again before RabbitMQ has told the subscriber.
    await eventually(() => broker.status()).toEqual({ up: true })
    for (const id of ['1', '2', '3']) {
      await channel.deleteQueue(`${name}.billing`)
      expect(await publishUntilConfirmed(broker, message(id))).toBe('confirmed')
      await eventually(() => billing.map((received) => received.message.id)).toContain(id)
    }
  })

  test('the queue of a declared consumer', async () => {
    const broker = await open()
    expect(await broker.publish([message('1')])).toEqual([{ kind: 'confirmed' }])
    await channel.deleteQueue(`${name}.billing`)
    expect(await broker.publish([message('2')])).toEqual([
      { kind: 'failed', reason: expect.stringMatching(/no queue takes topic .* its queue was deleted and is declared again/) },
    ])
    expect(await publishUntilConfirmed(broker, message('2'))).toBe('confirmed')
    await expect(channel.checkQueue(`${name}.billing`)).resolves.toMatchObject({ messageCount: 1 })
  })

  test('the exchange', async () => {
    const broker = await open()
    const billing = await subscribe(broker)
    expect(await broker.publish([message('0')])).toEqual([{ kind: 'confirmed' }])
    await channel.deleteExchange(name)
    expect(await broker.publish([message('1'), message('2')])).toEqual([
      { kind: 'failed', reason: expect.stringContaining('closed') },
      { kind: 'failed', reason: expect.stringContaining('closed') },
    ])
    expect(await publishUntilConfirmed(broker, message('1'))).toBe('confirmed')
    await eventually(() => billing.map(({ message }) => message.id)).toContain('1')
  })
})

test('a queue of our name but of another kind is reported, and taken when it is gone', async () => {
  await channel.assertQueue(`${name}.billing`, { durable: true })
  const broker = await open()
  const outcomes = await broker.publish([message('1')])
  expect(outcomes).toEqual([{ kind: 'failed', reason: expect.stringContaining("inequivalent arg 'x-queue-type'") }])
  expect(broker.status()).toMatchObject({ up: false, reason: expect.stringContaining(`${name}.billing`) })
  await channel.deleteQueue(`${name}.billing`)
  expect(await publishUntilConfirmed(broker, message('1'))).toBe('confirmed')
  expect(broker.status()).toEqual({ up: true })
})

describe('a door that stays closed is named, without the password:', () => {
  const { username, password, host, hostname } = new URL(url)
  const at = `RabbitMQ at ${host}`
  test.each([
    [
      'a wrong password',
      `amqp://${username}:not-the-pass-word@${host}`,
      `${at}: user "${username}" was refused: check the name and the password`,
    ],
    [
      'no such virtual host',
      `amqp://${username}:${password}@${host}/elsewhere`,
      `${at}: virtual host "elsewhere" does not exist or user "${username}" has no access`,
    ],
    [
      'nobody there',
      `amqp://${username}:${password}@${hostname}:1`,
      `RabbitMQ at ${hostname}:1: nothing listens at ${hostname}:1 (ECONNREFUSED)`,
    ],
    ['no TLS there', `amqps://${username}:${password}@${host}`, `${at}: ${host} does not speak TLS`],
    [
      'no such host',
      `amqp://${username}:${password}@nowhere.invalid`,
      'RabbitMQ at nowhere.invalid:5672: the name nowhere.invalid cannot be resolved',
    ],
  ])('%s', async (_, wrong, reason) => {
    const told: BrokerStatus[] = []
    const broker = await open({ url: wrong }, undefined, (status) => told.push(status))
    expect(await broker.publish([message('1')])).toEqual([{ kind: 'failed', reason: expect.stringContaining(reason) }])
    expect(broker.status()).toEqual({ up: false, reason: expect.stringContaining(reason) })
    expect(told).toEqual([broker.status()])
    for (const secret of [`:${password}`, 'not-the-pass-word']) expect(JSON.stringify([told, broker.description])).not.toContain(secret)
  })

  test('a subscription waits meanwhile, and ends with the broker', async () => {
    const broker = await open({ url: `amqp://${hostname}:1` })
    const subscribing = broker.subscribe({ name: 'billing', topics: [name], prefetch: 1, handle: async () => 'ack' })
    await eventually(() => broker.status()).toMatchObject({ reason: expect.stringContaining('ECONNREFUSED') })
    await broker.close()
    await expect(subscribing).resolves.toBeDefined()
  })
})

test('of several addresses the next is tried when one does not answer', async () => {
  const { hostname, host } = new URL(url)
  const broker = await open({ url: [`amqp://${hostname}:1`, url] })
  expect(broker.description).toBe(`RabbitMQ at ${hostname}:1, ${host}`)
  expect(await publishUntilConfirmed(broker, message('1'))).toBe('confirmed')
})

async function open(
  options: Partial<RabbitmqOptions> = {},
  consumers = [{ name: 'billing', topics: [name] }],
  onStatus?: (status: BrokerStatus) => void,
) {
  const engine = rabbitmq({
    url,
    exchange: name,
    prefix: name,
    retryDelayMs: 5,
    maxReconnectDelayMs: 200,
    onWarning: (warning) => warnings.push(warning),
    ...options,
  })
  const broker = await engine.open(onStatus === undefined ? { consumers } : { consumers, onStatus })
  brokers.push(broker)
  return broker
}

/** Resolves with the list that deliveries are written to. */
async function subscribe(broker: Broker, handle: (delivery: Delivery) => Promise<Disposition> = async () => 'ack'): Promise<Delivery[]> {
  const deliveries: Delivery[] = []
  await broker.subscribe({
    name: 'billing',
    topics: [name],
    prefetch: 10,
    handle(delivery) {
      deliveries.push(delivery)
      return handle(delivery)
    },
  })
  return deliveries
}

function message(id: string, more: Partial<Message> = {}): Message {
  return { id, topic: name, type: 'orders.placed', key: 'key', body: JSON.stringify({ specversion: '1.0', id, data: { ä: 1 } }), ...more }
}

function foreign(id: string, durable: boolean): Message {
  return message(id, { bindings: { amqp: { queue: `${name}-orders`, durable, data: JSON.stringify({ order: id }) } } })
}

function kinds(outcomes: readonly PublishOutcome[]): Set<string> {
  return new Set(outcomes.map(({ kind }) => kind))
}

/** As the relay does. */
async function publishUntilConfirmed(broker: Broker, message: Message): Promise<string> {
  await eventually(async () => (await broker.publish([message]))[0]?.kind).toBe('confirmed')
  return 'confirmed'
}

/** What a stranger sees who binds a queue of their own to our exchange. */
async function tap() {
  await channel.assertExchange(name, 'topic', { durable: true })
  const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true })
  await channel.bindQueue(queue, name, '#')
  return consume(queue)
}

async function consume(queue: string) {
  const messages: ConsumeMessage[] = []
  await channel.consume(queue, (received) => received !== null && messages.push(received), { noAck: true })
  return {
    async next(): Promise<ConsumeMessage> {
      await eventually(() => messages.length).toBeGreaterThan(0)
      return messages.shift()!
    },
  }
}

/** Waits on a condition: long, because a loaded machine is not a failure. */
function eventually<T>(value: () => T) {
  return expect.poll(value, { timeout: 20_000, interval: 5 })
}
