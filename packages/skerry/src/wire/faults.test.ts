/** The fast wire when something is wrong: with the network, with the peer, or with how much there is to do. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { VirtualClock } from '../base/clock.ts'
import { SkerryError } from '../base/errors.ts'
import { boundOperations } from '../contract/bound-operation.ts'
import { contract } from '../contract/contract.ts'
import { post } from '../contract/operation.ts'
import type { Answer } from '../http/operation-target.ts'
import type { ListenerOptions } from './fixtures/listener.ts'
import { linkTo, listen } from './fixtures/listener.ts'
import { Network } from './fixtures/network.ts'
import type { RawPeer } from './fixtures/raw-peers.ts'
import { rawClient, rawServer } from './fixtures/raw-peers.ts'
import { ANSWER_HEAD_BYTES, KIND, readCall } from './frame.ts'

const things = contract('things', { version: '1.0.0', operations: { make: post('/things', { input: z.unknown(), output: z.unknown() }) } })
const make = boundOperations(things).get('make')!
const trace = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`

const listening = (answer: Answer, more: Partial<ListenerOptions> = {}) => listen({ contract: things, answers: { make: answer }, ...more })
/** Answers with the way that a call has come. */
const way: Answer = async (_input, { headers }) => ({ ok: true, output: headers.host === 'peer' ? 'fast wire' : 'HTTP' })

describe('negotiation', () => {
  it('leaves the calls to HTTP until the connection is there, and then takes them', async () => {
    await using listener = await listening(way)
    await using to = linkTo(listener.url, 'offered')
    expect(await to.send(make)).toEqual({ ok: true, output: 'HTTP' })
    await expect.poll(() => to.send(make)).toEqual({ ok: true, output: 'fast wire' })
  })

  it('leaves them there with a server that does not know it, and asks again later', async () => {
    const clock = new VirtualClock()
    const plain = await listening(way, { fastWire: 'off' })
    await using proxy = await Network.before(plain.server.port)
    await using to = linkTo(proxy.url, 'offered', { clock })
    for (const response of await Promise.all(Array.from({ length: 20 }, () => to.send(make))))
      expect(response).toEqual({ ok: true, output: 'HTTP' })
    // That it was refused has been heard of before this has been answered.
    for (let n = 0; n < 20; n++) await to.send(make)
    await plain[Symbol.asyncDispose]()
    await using both = await listening(way, { port: plain.server.port })
    expect(both.server.port).toBe(plain.server.port)
    const accepted = proxy.accepted
    await expect.poll(() => to.send(make).catch(() => undefined)).toEqual({ ok: true, output: 'HTTP' })
    // Nobody has asked again: the clock stands still.
    expect(proxy.accepted).toBeLessThanOrEqual(accepted + 1)
    await clock.advance('1s')
    await expect.poll(() => to.send(make)).toEqual({ ok: true, output: 'fast wire' })
  })

  it('keeps a prefix of the address', async () => {
    await using raw = await rawServer((peer) => peer.send((batch) => batch.hello({ maxCalls: 1, maxBodyBytes: 1_000, maxBytes: 1_000 })))
    await using to = linkTo(`${raw.url}/behind/`, 'only')
    const sent = to.send(make).catch(() => undefined)
    await expect.poll(() => raw.peers[0]?.head.split('\r\n')[0]).toBe('GET /behind/.well-known/skerry-wire HTTP/1.1')
    await to.link.close()
    await sent
  })
})

describe('a connection that breaks', () => {
  it.each(['to server', 'to client'] as const)(
    'at any byte on its way %s tells only of calls that never left that they did not',
    async (direction) => {
      let runs = 0
      await using listener = await listening(async (input) => (runs++, { ok: true, output: input }))
      const total = await (async () => {
        await using proxy = await Network.before(listener.server.port)
        await using to = linkTo(proxy.url, 'only')
        expect(await to.send(make, 'first')).toEqual({ ok: true, output: 'first' })
        return proxy.passedBytes[direction]
      })()
      for (let bytes = 0; bytes <= total; bytes++) {
        await using proxy = await Network.before(listener.server.port, { direction, afterBytes: bytes })
        await using to = linkTo(proxy.url, 'only')
        const before = runs
        const outcome = await to.send(make, 'first').catch((error: { code: string; data: { unsent: boolean } }) => error)
        if ('ok' in outcome) expect(outcome).toEqual({ ok: true, output: 'first' })
        else {
          expect(outcome.code).toBe('unavailable')
          if (outcome.data.unsent) expect(runs).toBe(before)
        }
      }
      // One that has not been heard of again runs all the same, but never twice.
      expect(runs).toBeLessThanOrEqual(total + 2)
    },
  )

  it('fails the calls in progress and is made anew', async () => {
    const held: (() => void)[] = []
    await using listener = await listening((input) => new Promise((resolve) => held.push(() => resolve({ ok: true, output: input }))))
    await using proxy = await Network.before(listener.server.port)
    await using to = linkTo(proxy.url, 'only')
    const lost = Promise.all([1, 2, 3].map((n) => to.send(make, n).catch((error: unknown) => error)))
    await expect.poll(() => held.length).toBe(3)
    proxy.cut()
    for (const error of await lost) expect(error).toMatchObject({ code: 'unavailable', data: { unsent: false } })
    const again = to.send(make, 4)
    await expect.poll(() => held.length).toBe(4)
    held[3]!()
    expect(await again).toEqual({ ok: true, output: 4 })
  })

  it('without a word is cut off after 20 s of silence, or 2 s after a call that nobody waited for any longer', async () => {
    for (const givesUp of [false, true]) {
      const clock = new VirtualClock()
      let begun = 0
      await using listener = await listening(() => (begun++, new Promise(() => {})))
      await using proxy = await Network.before(listener.server.port)
      await using to = linkTo(proxy.url, 'only', { clock })
      let failure: unknown
      let giveUp: (() => void) | undefined
      to.send(make, 1).catch((error: unknown) => (failure = error))
      to.send(make, 2, { whenGivenUp: (action) => (giveUp = action) }).catch(() => undefined)
      await expect.poll(() => begun).toBe(2)
      proxy.blackHole = true
      if (givesUp) giveUp!()
      await clock.advance(givesUp ? '1999ms' : '19s')
      expect(failure).toBeUndefined()
      await clock.advance(givesUp ? '1ms' : '11s')
      expect(failure).toMatchObject({ code: 'unavailable', message: expect.stringContaining('the peer has fallen silent') })
    }
  })

  it('is not cut off while the peer answers, however long a call takes', async () => {
    const clock = new VirtualClock()
    const held = Promise.withResolvers<void>()
    let begun = 0
    await using listener = await listening(async (input) => (begun++, await held.promise, { ok: true, output: input }))
    await using to = linkTo(listener.url, 'only', { clock })
    const sent = to.send(make, 1)
    await expect.poll(() => begun).toBe(1)
    for (let minute = 0; minute < 6; minute++) {
      await clock.advance('10s')
      // The answer to a ping needs no more than a way there and back, as this does.
      await fetch(listener.url)
    }
    held.resolve()
    expect(await sent).toEqual({ ok: true, output: 1 })
  })
})

describe('a server that is about to stop', () => {
  it('answers what it has, and the next calls find another way', async () => {
    const held: (() => void)[] = []
    await using listener = await listening((_input, request) => {
      const answer = way(undefined, request)
      return held.length > 0 ? answer : new Promise((resolve) => held.push(() => resolve(answer)))
    })
    await using to = linkTo(listener.url, 'only')
    const first = to.send(make)
    await expect.poll(() => held.length).toBe(1)
    listener.server.drain()
    await using other = linkTo(listener.url, 'offered')
    expect(await other.send(make)).toEqual({ ok: true, output: 'HTTP', leaving: true })
    let closed = false
    const closing = listener.server.close(new AbortController().signal).then(() => (closed = true))
    expect(closed).toBe(false)
    held[0]!()
    expect(await first).toEqual({ ok: true, output: 'fast wire', leaving: true })
    await closing
  })

  it('and comes back loses no call, however many are on their way', async () => {
    let listener = await listening(way)
    const { port } = listener.server
    await using to = linkTo(listener.url, 'only')
    let stop = false
    let answered = 0
    const failures: unknown[] = []
    const caller = async (): Promise<void> => {
      while (!stop) {
        const response = await to.send(make).catch((error: unknown) => error as SkerryError)
        // Nobody listened at that moment, and the call can be made again.
        if (response instanceof SkerryError && response.data?.['unsent'] === true) continue
        if ('ok' in response && response.ok) answered++
        else failures.push(response)
      }
    }
    const callers = Promise.all(Array.from({ length: 16 }, caller))
    try {
      for (let restart = 0; restart < 3; restart++) {
        answered = 0
        await expect.poll(() => answered).toBeGreaterThan(100)
        listener.server.drain()
        await listener.server.close(new AbortController().signal)
        listener = await listening(way, { port })
      }
    } finally {
      stop = true
    }
    await callers
    await listener[Symbol.asyncDispose]()
    expect(failures).toEqual([])
  })
})

describe('how much is in progress', () => {
  const granting = (maxCalls: number, maxBytes: number) => {
    const peers: RawPeer[] = []
    const server = rawServer((peer) => {
      peers.push(peer)
      peer.send((batch) => batch.hello({ maxCalls, maxBodyBytes: 100, maxBytes }))
    })
    return { server, peers, calls: () => peers[0]?.frames.filter(({ kind }) => kind === KIND.call) ?? [] }
  }
  const answer = (peer: RawPeer, call: number): void => peer.send((batch) => batch.answer(call, 200, undefined, String(call)))

  it('is never more than the server grants: the others wait, and those given up meanwhile never leave', async () => {
    const { server, peers, calls } = granting(2, 1_000)
    await using raw = await server
    await using to = linkTo(raw.url, 'only')
    const giveUps: (() => void)[] = []
    const sent = [1, 2, 3, 4, 5].map((n) => to.send(make, n, { whenGivenUp: (action) => giveUps.push(action) }).catch(() => undefined))
    await expect.poll(() => calls().length).toBe(2)
    giveUps[2]!()
    giveUps[1]!()
    await expect.poll(() => peers[0]!.frames.filter(({ kind }) => kind === KIND.cancel).map(({ call }) => call)).toEqual([2])
    answer(peers[0]!, 1)
    expect(await sent[0]).toEqual({ ok: true, output: 1 })
    await expect.poll(() => calls().length).toBe(3)
    // What was cancelled has its place until it is answered.
    answer(peers[0]!, 3)
    expect(await sent[3]).toEqual({ ok: true, output: 3 })
    await expect.poll(() => calls().length).toBe(4)
    expect(bodiesOf(calls())).toEqual(['1', '2', '4', '5'])
  })

  it('counts bytes too, and what is larger than the server takes here goes over HTTP', async () => {
    const { server, peers, calls } = granting(100, 120)
    await using raw = await server
    await using to = linkTo(raw.url, 'only')
    const sent = ['a', 'b', 'c'].map((text) => to.send(make, text.repeat(48)).catch(() => undefined))
    await expect.poll(() => calls().length).toBe(2)
    answer(peers[0]!, 2)
    await sent[1]
    await expect.poll(() => calls().length).toBe(3)
    const large = to.send(make, 'x'.repeat(200)).catch(() => undefined)
    await expect.poll(() => peers.length).toBe(2)
    await to.link.close()
    await Promise.allSettled([...sent, large])
  })

  it('does not grow with a client that does not read, and loses nothing of what it is owed', async () => {
    let begun = 0
    await using listener = await listening(async (input) => {
      begun++
      return { ok: true, output: String((input as { n: number }).n).padEnd(20_000, 'x') }
    })
    await using client = await rawClient(listener.server.port)
    const call = (n: number): void => {
      const body = JSON.stringify({ n, more: 'x'.repeat(1_000) })
      client.send((batch) => batch.call(n, 'POST /things', trace, undefined, undefined, undefined, body))
    }
    const answers = () => client.frames.filter(({ kind }) => kind === KIND.answer)
    call(1)
    await expect.poll(() => answers().length).toBe(1)
    client.socket.pause()
    for (let n = 2; n <= 900; n++) call(n)
    await expect.poll(() => begun).toBeGreaterThan(1)
    // Each is a way there and back, in which the server would have read the calls too.
    for (let n = 0; n < 50; n++) await fetch(listener.url)
    // What the kernel holds for both sides is some hundred answers.
    expect(begun).toBeLessThan(800)
    client.socket.resume()
    await expect.poll(() => answers().length).toBe(900)
    for (const { call: n, body } of answers())
      expect(JSON.parse(body.toString('utf8', ANSWER_HEAD_BYTES))).toBe(String(n).padEnd(20_000, 'x'))
  })

  it('is given back by a call whose caller has gone', async () => {
    const signals: AbortSignal[] = []
    await using listener = await listening(
      (_input, { signal }) =>
        new Promise((resolve) => {
          signals.push(signal())
          signal().addEventListener('abort', () => resolve({ ok: true, output: 'late' }))
        }),
    )
    await using client = await rawClient(listener.server.port)
    client.send((batch) => batch.call(9, 'POST /things', trace, undefined, undefined, undefined, '1'))
    await expect.poll(() => signals.length).toBe(1)
    client.send((batch) => batch.sign(KIND.cancel, 9))
    await expect.poll(() => client.frames.at(-1)).toMatchObject({ kind: KIND.answer, call: 9 })
    expect(client.frames.at(-1)!.body).toHaveLength(ANSWER_HEAD_BYTES)
    expect(client.frames.at(-1)!.body.readUInt16BE()).toBe(499)
  })
})

describe('a peer that breaks the protocol', () => {
  const call =
    (number: number, body = '1') =>
    (batch: Parameters<Parameters<RawPeer['send']>[0]>[0]) =>
      batch.call(number, 'POST /things', trace, undefined, undefined, undefined, body)
  it.each<[string, (client: RawPeer) => void, string]>([
    ['with a call that is in progress already', (client) => [1, 1].forEach((n) => client.send(call(n))), 'the call 1 a second time'],
    [
      'with more calls than it was granted',
      (client) => client.send((batch) => Array.from({ length: 1_001 }, (_, n) => call(n)(batch))),
      'more than 1000 calls at once',
    ],
    [
      'with more bytes than it was granted',
      (client) => client.send((batch) => Array.from({ length: 33 }, (_, n) => call(n, JSON.stringify('x'.repeat(262_142)))(batch))),
      'more bytes than it was granted',
    ],
    [
      'with a frame that only servers send',
      (client) => client.send((batch) => batch.answer(1, 200, undefined, '')),
      'a frame of the kind 3',
    ],
    ['with something else', (client) => client.socket.write('GET / HTTP/1.1\r\n\r\n'), 'a frame of 1195725856 bytes'],
  ])('%s is told so and cut off', async (_how, misbehave, reason) => {
    await using listener = await listening(() => new Promise(() => {}))
    await using client = await rawClient(listener.server.port)
    await expect.poll(() => client.frames.length).toBe(1)
    misbehave(client)
    await expect.poll(() => client.socket.closed).toBe(true)
    expect(client.frames.at(-1)).toMatchObject({ kind: KIND.goaway })
    expect(client.frames.at(-1)!.body.toString()).toContain(reason)
  })

  it('with any bytes at all does no harm to the others', async () => {
    await using listener = await listening(way)
    await using to = linkTo(listener.url, 'only')
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { minLength: 1, maxLength: 4 }), async (pieces) => {
        await using client = await rawClient(listener.server.port)
        // The last one is no frame.
        for (const piece of [...pieces, Buffer.alloc(300, 0xff)]) client.socket.write(piece)
        await expect.poll(() => client.socket.closed, { interval: 1 }).toBe(true)
        expect(await to.send(make)).toEqual({ ok: true, output: 'fast wire' })
      }),
      { numRuns: 50 },
    )
  })

  it.each<[string, (peer: RawPeer) => void, string]>([
    ['with garbage', (peer) => peer.socket.write(Buffer.alloc(20, 0xff)), 'a frame of 4294967295 bytes'],
    ['with an answer to nothing', (peer) => peer.send((batch) => batch.answer(77, 200, undefined, '1')), 'the call 77'],
    ['with a call', (peer) => peer.send((batch) => call(1)(batch)), 'which only callers send'],
    ['with a status that is none', (peer) => peer.send((batch) => batch.answer(1, 99, undefined, '1')), 'the status 99'],
  ])('fails the calls to it: %s', async (_how, misbehave, reason) => {
    await using raw = await rawServer((peer) => {
      peer.send((batch) => batch.hello({ maxCalls: 10, maxBodyBytes: 1_000, maxBytes: 1_000 }))
      peer.socket.on('data', () => {
        if (peer.frames.length > 0) misbehave(peer)
      })
    })
    await using to = linkTo(raw.url, 'only')
    await expect(to.send(make)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining(reason),
      data: { unsent: false },
    })
  })
})

function bodiesOf(calls: readonly { readonly body: Buffer }[]): string[] {
  return calls.map(({ body }) => body.toString('utf8', readCall(body, 0, body.length).bodyAt))
}
