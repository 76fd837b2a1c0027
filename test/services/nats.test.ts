import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { NatsServer } from './nats.ts'
import { startNats } from './nats.ts'

let one: NatsServer
let two: NatsServer
beforeAll(async () => {
  ;[one, two] = await Promise.all([startNats(), startNats()])
})
afterAll(() => Promise.all([one.close(), two.close()]))

test('servers are apart, and keep what they have been given when they are stopped or killed', async () => {
  await put(one, 'first')
  await one.kill()
  await expect(put(one, 'nowhere')).rejects.toThrow(/refused/)
  await one.start()
  await put(one, 'second')
  await one.stop()
  await one.start()
  expect(await count(one)).toBe(2)
  await expect(count(two)).rejects.toThrow(/stream not found/)
})

test('only who knows the password gets in', async () => {
  const { host } = new URL(one.url)
  await expect(connect({ servers: host, reconnect: false })).rejects.toThrow(/Authorization/)
})

async function open({ url }: NatsServer) {
  const { host, username: user, password: pass } = new URL(url)
  return connect({ servers: host, user, pass, reconnect: false })
}

async function put(server: NatsServer, text: string): Promise<void> {
  await using nc = await open(server)
  await (await jetstreamManager(nc)).streams.add({ name: 'kept', subjects: ['kept'] })
  await jetstream(nc).publish('kept', text)
}

async function count(server: NatsServer): Promise<number> {
  await using nc = await open(server)
  return (await (await jetstreamManager(nc)).streams.info('kept')).state.messages
}
