/** Between the engine and RabbitMQ stands a proxy that cuts, holds and adds bytes: what networks and brokers in need do. */
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
  test('loses no confirmed message, however often', async () => {
    const broker = await open()
    const { ids } = await subscribe(broker, 50, async () => 'ack')
    const confirmed: string[] = []
    for (let round = 0; round < 10; round++) {
      const publishing = Array.from({ length: 5 }, (_, batch) => publishUntilConfirmed(broker, messages(`${round}.${batch}`, 100)))
      await eventually(() => ids.length).toBeGreaterThan(confirmed.length)
      proxy.cut()
      confirmed.push(...(await Promise.all(publishing)).flat())
    }
    expect(confirmed).toHaveLength(5_000)
    await eventually(() => new Set(ids).size).toBe(5_000)
  })

  test('fails what is on its way, and says that it is down and up again', async () => {
    const statuses: BrokerStatus[] = []
    const broker = await open({}, (status) => statuses.push(status))
    expect(await broker.publish(messages('a', 1))).toEqual([{ kind: 'confirmed' }])
    proxy.hold()
    const outcomes = broker.publish(messages('b', 3))
    proxy.cut()
    expect(await outcomes).toEqual(Array.from({ length: 3 }, () => ({ kind: 'failed', reason: expect.stringContaining('RabbitMQ at') })))
    expect(broker.status().up).toBe(false)
    expect(await broker.publish(messages('c', 1))).toEqual([{ kind: 'failed', reason: expect.stringContaining('RabbitMQ at') }])
    proxy.release()
    await eventually(() => broker.status()).toEqual({ up: true })
    expect(statuses.map(({ up }) => up)).toContain(false)
    expect(await broker.publish(messages('d', 1))).toEqual([{ kind: 'confirmed' }])
  })

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

  test('does not raise the number of deliveries in progress', async () => {
    const broker = await open()
    const consumer = await subscribe(broker, 1)
    expect(await broker.publish(messages('m', 2))).toEqual([{ kind: 'confirmed' }, { kind: 'confirmed' }])
    await eventually(() => consumer.ids).toEqual(['m.0'])
    const connections = proxy.connections
    proxy.cut()
    await eventually(() => proxy.connections).toBe(connections + 2)
    await eventually(() => broker.status()).toEqual({ up: true })
    // Enough comes and goes on the new connections that the second delivery has certainly arrived.
    expect(await broker.publish(messages('n', 1))).toEqual([{ kind: 'confirmed' }])
    expect(await broker.publish(messages('n', 1))).toEqual([{ kind: 'confirmed' }])
    expect(consumer.ids).toEqual(['m.0'])
    consumer.answer(0, 'ack')
    await eventually(() => consumer.ids).toEqual(['m.0', 'm.0'])
    consumer.answer(1, 'ack')
    await eventually(() => consumer.ids.slice(0, 3)).toEqual(['m.0', 'm.0', 'm.1'])
    consumer.answerAll('ack')
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

describe('a connection that falls silent', () => {
  test('is given up and made anew', async () => {
    const broker = await open({ heartbeatSeconds: 1, confirmTimeoutMs: 100_000 })
    const consumer = await subscribe(broker, 10, async () => 'ack')
    expect(await broker.publish(messages('a', 1))).toEqual([{ kind: 'confirmed' }])
    const { connections } = proxy
    proxy.hold()
    const outcomes = broker.publish(messages('b', 1))
    expect(await outcomes).toEqual([{ kind: 'failed', reason: expect.stringMatching(/closed|Heartbeat/) }])
    await eventually(() => proxy.connections).toBeGreaterThan(connections)
    proxy.release()
    proxy.cut()
    expect(await publishUntilConfirmed(broker, messages('c', 1))).toEqual(['c.0'])
    await eventually(() => consumer.ids).toContain('c.0')
  })

  test('fails a message when its confirmation is overdue', async () => {
    const broker = await open({ confirmTimeoutMs: 100, maxUnconfirmed: 2 })
    expect(await publishUntilConfirmed(broker, messages('a', 1))).toEqual(['a.0'])
    proxy.hold()
    const outcomes = await broker.publish(messages('b', 5))
    expect(outcomes).toEqual(
      Array.from({ length: 5 }, () => ({ kind: 'failed', reason: expect.stringContaining('has not confirmed it within 100 ms') })),
    )
    proxy.release()
    expect(await publishUntilConfirmed(broker, messages('c', 1))).toEqual(['c.0'])
  })

  test('does not keep close() waiting for ever', async () => {
    const broker = await open()
    await subscribe(broker, 10, async () => 'ack')
    expect(await broker.publish(messages('a', 1))).toEqual([{ kind: 'confirmed' }])
    proxy.hold()
    const outcomes = broker.publish(messages('b', 1))
    await broker.close()
    expect(await outcomes).toEqual([{ kind: 'failed', reason: expect.stringContaining('was closed') }])
    // The socket is gone too, not only half closed: whoever writes to it now is told so, though the proxy reads nothing.
    await eventually(() => {
      proxy.toClients(Buffer.from([0]))
      return proxy.open
    }).toBe(0)
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
  let automatic: Disposition | undefined
  const subscription = await broker.subscribe({
    name: 'billing',
    topics: [name],
    prefetch,
    handle(delivery) {
      deliveries.push(delivery)
      ids.push(delivery.message.id)
      return handle?.() ?? new Promise((resolve) => (automatic === undefined ? answers.push(resolve) : resolve(automatic)))
    },
  })
  return {
    deliveries,
    ids,
    close: () => subscription.close(),
    answer: (index: number, disposition: Disposition) => answers[index]!(disposition),
    answerAll(disposition: Disposition) {
      automatic = disposition
      for (const answer of answers) answer(disposition)
    },
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
  let holding = false
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
      if (holding) socket.pause()
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
    get open() {
      return pairs.size
    },
    /** Resets every connection. */
    cut: () => each((client) => client.resetAndDestroy()),
    /** Passes nothing on, in either direction, without a word. */
    hold() {
      holding = true
      each((client, server) => void [client.pause(), server.pause()])
    },
    release() {
      holding = false
      each((client, server) => void [client.resume(), server.resume()])
    },
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
