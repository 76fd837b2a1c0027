import type { AddressInfo, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { TcpProxy } from './tcp-proxy.ts'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

/** Answers each piece with the same in capitals, and remembers what it got. */
async function startEcho(): Promise<{ proxy: TcpProxy; received: string[]; dial: () => Promise<Client> }> {
  const received: string[] = []
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      received.push(bytes.toString())
      socket.write(bytes.toString().toUpperCase())
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanUps.push(() => server.close())
  const proxy = await TcpProxy.start({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
  cleanUps.push(() => proxy.close())
  const dial = async (): Promise<Client> => {
    const socket = connect(proxy.port, '127.0.0.1')
    cleanUps.push(() => socket.destroy())
    const client = new Client(socket)
    await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))
    return client
  }
  return { proxy, received, dial }
}

class Client {
  readonly socket: Socket
  received = ''
  error: unknown

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('error', (error) => (this.error = error))
    socket.on('data', (bytes) => (this.received += bytes.toString()))
  }
}

test('passes bytes both ways', async () => {
  const { dial, proxy } = await startEcho()
  const client = await dial()
  client.socket.write('hello')
  await expect.poll(() => client.received).toBe('HELLO')
  expect(proxy.open).toBe(1)
  client.socket.end()
  await expect.poll(() => proxy.open).toBe(0)
})

test('cuts what is open and takes new connections, unless it refuses them', async () => {
  const { dial, proxy } = await startEcho()
  const [first, second] = [await dial(), await dial()]
  await expect.poll(() => proxy.open).toBe(2)
  proxy.cut()
  await expect.poll(() => first.error).toMatchObject({ code: 'ECONNRESET' })
  await expect.poll(() => second.socket.destroyed).toBe(true)
  proxy.refusing = true
  const refused = await dial()
  await expect.poll(() => refused.error).toMatchObject({ code: 'ECONNRESET' })
  proxy.refusing = false
  const third = await dial()
  third.socket.write('again')
  await expect.poll(() => third.received).toBe('AGAIN')
  expect(proxy.accepted).toBe(4)
})

test('cuts before or after certain bytes: the server gets them in one case only, the client never sees the answer', async () => {
  const { dial, proxy, received } = await startEcho()
  proxy.onClientBytes = (bytes) => (bytes.includes('lost') ? 'cut before' : bytes.includes('done') ? 'cut after' : 'forward')
  const [before, after] = [await dial(), await dial()]
  before.socket.write('one')
  await expect.poll(() => before.received).toBe('ONE')
  before.socket.write('lost')
  await expect.poll(() => before.error).toMatchObject({ code: 'ECONNRESET' })
  after.socket.write('done')
  await expect.poll(() => after.error).toMatchObject({ code: 'ECONNRESET' })
  expect(after.received).toBe('')
  expect(received).toEqual(['one', 'done'])
})

test('cuts within certain bytes: half of them arrive, on either way, and both sides lose the connection', async () => {
  const { dial, proxy, received } = await startEcho()
  proxy.onClientBytes = (bytes) => (bytes.includes('torn') ? 'cut within' : 'forward')
  const inwards = await dial()
  inwards.socket.write('torn')
  await expect.poll(() => inwards.error).toMatchObject({ code: 'ECONNRESET' })
  await expect.poll(() => received).toEqual(['to'])
  proxy.onServerBytes = (bytes) => (bytes.includes('WHOLE') ? 'cut within' : 'forward')
  const outwards = await dial()
  outwards.socket.write('whole?')
  await expect.poll(() => outwards.received).toBe('WHO')
  await expect.poll(() => outwards.socket.destroyed).toBe(true)
  await expect.poll(() => proxy.open).toBe(0)
})

test('a black hole swallows without a word', async () => {
  const { dial, proxy, received } = await startEcho()
  const client = await dial()
  client.socket.write('one')
  await expect.poll(() => client.received).toBe('ONE')
  proxy.blackHole = true
  client.socket.write('swallowed')
  const other = await dial()
  other.socket.write('swallowed, too')
  await expect.poll(() => proxy.swallowedBytes).toBe('swallowed'.length + 'swallowed, too'.length)
  proxy.blackHole = false
  client.socket.write('two')
  await expect.poll(() => client.received).toBe('ONETWO')
  expect(received).toEqual(['one', 'two'])
  expect(client.error).toBeUndefined()
})

test('a delay keeps the order', async () => {
  const { dial, proxy } = await startEcho()
  const client = await dial()
  proxy.delayMs = 20
  for (const piece of ['a', 'b', 'c']) client.socket.write(piece)
  await expect.poll(() => client.received).toBe('ABC')
})
