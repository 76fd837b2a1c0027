import { connect } from 'amqplib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RabbitmqServer } from './rabbitmq.ts'
import { startRabbitmq } from './rabbitmq.ts'

let one: RabbitmqServer
let two: RabbitmqServer
beforeAll(async () => {
  ;[one, two] = await Promise.all([startRabbitmq(), startRabbitmq()])
})
afterAll(async () => {
  await Promise.all([one?.close(), two?.close()])
})

test('two at once do not know of each other', async () => {
  await put(one, 'only-in-one', 'there')
  expect(await take(one, 'only-in-one')).toBe('there')
  expect(await take(two, 'only-in-one')).toBeUndefined()
})

test('messages survive a clean stop and kill -9, and nobody answers in between', async () => {
  for (const end of ['stop', 'kill'] as const) {
    await put(one, 'kept', end)
    await one[end]()
    await expect(connect(one.url)).rejects.toThrow('ECONNREFUSED')
    await one.start()
    expect(await take(one, 'kept')).toBe(end)
  }
})

test('the password is asked for', async () => {
  await expect(connect(one.url.replace(/:[0-9a-f]{32}@/, ':wrong@'))).rejects.toThrow('ACCESS_REFUSED')
})

/** Resolves when the broker has confirmed that a majority (of one) has the message on disk. */
async function put(server: RabbitmqServer, queue: string, text: string): Promise<void> {
  const connection = await connect(server.url)
  try {
    const channel = await connection.createConfirmChannel()
    await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
    channel.sendToQueue(queue, Buffer.from(text), { persistent: true })
    await channel.waitForConfirms()
  } finally {
    await connection.close()
  }
}

async function take(server: RabbitmqServer, queue: string): Promise<string | undefined> {
  const connection = await connect(server.url)
  try {
    const channel = await connection.createChannel()
    await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
    const message = await channel.get(queue, { noAck: true })
    return message === false ? undefined : message.content.toString()
  } finally {
    await connection.close()
  }
}
