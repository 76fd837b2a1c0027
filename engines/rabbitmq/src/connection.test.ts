/**
 * Between the engine and RabbitMQ stands a proxy that cuts and adds bytes: what is particular to AMQP. What every broker has to bear of a
 * network is in the delivery suite (test/delivery/rabbitmq-faults.test.ts).
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import type { Broker, BrokerStatus, Delivery, Disposition, Message } from 'skerry/engine'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { RabbitmqOptions } from './index.ts'
import { rabbitmq } from './index.ts'

const url = process.env['SKERRY_TEST_RABBITMQ_URL']!

let name: string
let proxy: Awaited<ReturnType<typeof startProxy>>
let brokers: Broker[]

beforeEach(async () => {
  name = `t-${randomUUID()}`
  proxy = await startProxy()
  brokers = []
})
afterEach(async () => {
  await Promise.all(brokers.map((broker) => broker.close()))
  await proxy.close()
})

describe('a connection that is cut', () => {
  test('makes old answers void: they are not sent on the new channel, where they would mean another delivery', async () => {
    const broker = await open()
    const consumer = await subscribe(broker, 2)
    expect(await broker.publish(messages('m', 1))).toEqual([{ kind: 'confirmed' }])
    await eventually(() => consumer.ids).toEqual(['m.0'])
    proxy.cut()
    await eventually(() => consumer.ids).toEqual(['m.0', 'm.0'])
    // Both channels call their delivery number 1.
    consumer.answer(0, 'ack')
    consumer.answer(1, 'requeue')
    await eventually(() => consumer.ids).toEqual(['m.0', 'm.0', 'm.0'])
    expect(consumer.deliveries.map(({ redelivered }) => redelivered)).toEqual([false, true, true])
    consumer.answer(2, 'ack')
  })

  test('leaves what waits behind the prefetch to others when the subscription closes', async () => {
    const broker = await open()
    const consumer = await subscribe(broker, 1)
    expect(await broker.publish(messages('m', 1))).toEqual([{ kind: 'confirmed' }])
    await eventually(() => consumer.ids).toEqual(['m.0'])
    const { connections } = proxy
    proxy.cut()
    await eventually(() => proxy.connections).toBe(connections + 2)
    await eventually(() => broker.status()).toEqual({ up: true })
    expect(await broker.publish(messages('n', 1))).toEqual([{ kind: 'confirmed' }])
    const closing = consumer.close()
    const other = await subscribe(await open({ url }), 10, async () => 'ack')
    await eventually(() => other.ids.toSorted()).toEqual(['m.0', 'n.0'])
    consumer.answer(0, 'ack')
    await closing
    expect(consumer.ids).toEqual(['m.0'])
  })

  test('during a pause after requeue: the message comes once more, not twice', async () => {
    const broker = await open({ retryDelayMs: 100_000 })
    const consumer = await subscribe(broker, 10)
    expect(await broker.publish(messages('m', 1))).toEqual([{ kind: 'confirmed' }])
    await eventually(() => consumer.ids).toEqual(['m.0'])
    consumer.answer(0, 'requeue')
    proxy.cut()
    await eventually(() => consumer.ids).toEqual(['m.0', 'm.0'])
    consumer.answer(1, 'ack')
    expect(await publishUntilConfirmed(broker, messages('n', 1))).toEqual(['n.0'])
    await eventually(() => consumer.ids).toEqual(['m.0', 'm.0', 'n.0'])
    consumer.answer(2, 'ack')
  })
})

describe('a RabbitMQ short of memory or disk', () => {
  const blocked = frame(60, Buffer.from('\x0alow on ram'))
  const unblocked = frame(61)

  test('is sent nothing until it has recovered, and is reported', async () => {
    const statuses: BrokerStatus[] = []
    const broker = await open({}, (status) => statuses.push(status))
    const consumer = await subscribe(broker, 10, async () => 'ack')
    expect(await broker.publish(messages('a', 1))).toEqual([{ kind: 'confirmed' }])
    proxy.toClients(blocked)
    await eventually(() => broker.status()).toEqual({ up: false, reason: expect.stringContaining('takes no messages: low on ram') })
    const outcomes = broker.publish(messages('b', 5))
    // The other connection still works, so by now the messages would have arrived.
    const probe = await publishElsewhere('probe')
    await eventually(() => consumer.ids).toContain(probe)
    expect(consumer.ids).toEqual(['a.0', probe])
    proxy.toClients(unblocked)
    expect(new Set((await outcomes).map(({ kind }) => kind))).toEqual(new Set(['confirmed']))
    expect(broker.status()).toEqual({ up: true })
    expect(statuses.map(({ up }) => up)).toEqual([true, false, true])
  })

  test('fails what waits too long for that', async () => {
    const broker = await open({ confirmTimeoutMs: 100 })
    expect(await publishUntilConfirmed(broker, messages('a', 1))).toEqual(['a.0'])
    proxy.toClients(blocked)
    await eventually(() => broker.status().up).toBe(false)
    expect(await broker.publish(messages('b', 2))).toEqual(
      Array.from({ length: 2 }, () => ({ kind: 'failed', reason: expect.stringContaining('takes no messages: low on ram') })),
    )
    proxy.toClients(unblocked)
    expect(await publishUntilConfirmed(broker, messages('c', 1))).toEqual(['c.0'])
  })

  async function publishElsewhere(id: string): Promise<string> {
    const other = await open({ url })
    expect(await other.publish([{ ...messages('', 1)[0]!, id }])).toEqual([{ kind: 'confirmed' }])
    return id
  }
})

async function open(options: Partial<RabbitmqOptions> = {}, onStatus: (status: BrokerStatus) => void = () => undefined): Promise<Broker> {
  const engine = rabbitmq({ url: proxy.url, exchange: name, prefix: name, retryDelayMs: 5, maxReconnectDelayMs: 100, ...options })
  const broker = await engine.open({ consumers: [{ name: 'billing', topics: [name] }], onStatus })
  brokers.push(broker)
  return broker
}

/** A consumer whose deliveries wait for the test's answer, unless `handle` has one. */
async function subscribe(broker: Broker, prefetch: number, handle?: () => Promise<Disposition>) {
  const deliveries: Delivery[] = []
  const ids: string[] = []
  const answers: ((disposition: Disposition) => void)[] = []
  const subscription = await broker.subscribe({
    name: 'billing',
    topics: [name],
    prefetch,
    handle(delivery) {
      deliveries.push(delivery)
      ids.push(delivery.message.id)
      return handle?.() ?? new Promise((resolve) => answers.push(resolve))
    },
  })
  return {
    deliveries,
    ids,
    close: () => subscription.close(),
    answer: (index: number, disposition: Disposition) => answers[index]!(disposition),
  }
}

function messages(prefix: string, count: number): Message[] {
  return Array.from({ length: count }, (_, index) => {
    const id = `${prefix}.${index}`
    return { id, topic: name, type: 'orders.placed', key: 'key', body: JSON.stringify({ specversion: '1.0', id }) }
  })
}

/** As the relay does: what failed is published again. Resolves with the ids. */
async function publishUntilConfirmed(broker: Broker, batch: readonly Message[]): Promise<string[]> {
  let left = batch
  await eventually(async () => {
    const outcomes = await broker.publish(left)
    left = left.filter((_, index) => outcomes[index]!.kind !== 'confirmed')
    return left.length
  }).toBe(0)
  return batch.map(({ id }) => id)
}

/** A method frame of the class connection on channel 0. */
function frame(method: number, parameters: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.from([1, 0, 0, 0, 0, 0, 4 + parameters.length, 0, 10, 0, method])
  return Buffer.concat([head, parameters, Buffer.from([0xce])])
}

async function startProxy() {
  const { hostname, port } = new URL(url)
  const pairs = new Set<readonly [client: Socket, server: Socket]>()
  let connections = 0
  const listener = createServer((client) => {
    connections++
    const server = connect(Number(port), hostname)
    const pair = [client, server] as const
    pairs.add(pair)
    for (const socket of pair) {
      const other = socket === client ? server : client
      socket.setNoDelay(true)
      socket.on('data', (bytes) => other.write(bytes))
      socket.on('error', () => undefined)
      socket.on('close', () => {
        pairs.delete(pair)
        other.destroy()
      })
    }
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const proxied = new URL(url)
  proxied.host = `127.0.0.1:${(listener.address() as AddressInfo).port}`
  const each = (action: (client: Socket, server: Socket) => void): void => {
    for (const [client, server] of pairs) action(client, server)
  }
  return {
    url: proxied.href,
    /** Connections accepted so far. */
    get connections() {
      return connections
    },
    /** Resets every connection. */
    cut: () => each((client) => client.resetAndDestroy()),
    /** Says something to every client that RabbitMQ has not said. */
    toClients: (bytes: Buffer) => each((client) => client.write(bytes)),
    async close() {
      each((client) => client.destroy())
      listener.close()
      await once(listener, 'close')
    },
  }
}

/** Waits on a condition: long, because a loaded machine is not a failure. */
function eventually<T>(value: () => T) {
  return expect.poll(value, { timeout: 20_000, interval: 5 })
}
