/** What holds for a call holds for it on both ways: over HTTP, which is the reference, and over the fast wire. */
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { systemClock } from '../base/clock.ts'
import type { CallResponse } from '../client/link.ts'
import { boundOperations } from '../contract/bound-operation.ts'
import { contract } from '../contract/contract.ts'
import { del, get, post } from '../contract/operation.ts'
import { declaredProblem, platformProblem, problem } from '../contract/problem.ts'
import type { Answer } from '../http/operation-target.ts'
import type { HttpRequest } from '../http/server.ts'
import { ADAPTIVE_LIMIT_DEFAULTS } from '../resilience/adaptive-limit.ts'
import { Admission } from '../resilience/admission.ts'
import { linkTo, listen } from './fixtures/listener.ts'

const outOfStock = problem(409, 'Not enough stock', z.object({ left: z.int() }))
const things = contract('things', {
  version: '1.0.0',
  operations: {
    find: get('/things/{id}', {
      input: z.object({ id: z.string(), page: z.int().optional(), tags: z.array(z.string()).optional() }),
      output: z.unknown(),
    }),
    make: post('/things', { input: z.unknown(), output: z.unknown(), errors: { outOfStock } }),
    rename: post('/things/{id}', { input: z.object({ id: z.string(), name: z.string() }), output: z.unknown() }),
    forget: del('/things/{id}', { input: z.object({ id: z.string() }) }),
    count: get('/count', { output: z.object({ things: z.int() }) }),
    tidy: post('/tidy', { output: z.unknown(), priority: 'bulk' }),
    rescue: post('/rescue', { output: z.unknown(), priority: 'critical' }),
  },
})
const operations = boundOperations(things)
const operation = (name: keyof typeof things.operations) => operations.get(name)!

const echo: Answer = async (input) => ({ ok: true, output: input ?? null })
const never: Answer = () => new Promise(() => {})
function answers(own: Partial<Record<keyof typeof things.operations, Answer>>): Readonly<Record<string, Answer>> {
  return { find: echo, make: echo, rename: echo, forget: echo, count: echo, tidy: echo, rescue: echo, ...own }
}

describe.each(['off', 'only'] as const)('a link (the fast wire: %s)', (fastWire) => {
  const scene = async (own: Parameters<typeof answers>[0] = {}, admission?: Admission, maxAnswerBytes?: number) => {
    const held = new AsyncDisposableStack()
    const { url } = held.use(await listen({ contract: things, answers: answers(own), ...(admission === undefined ? {} : { admission }) }))
    return { url, held, ...held.use(linkTo(url, fastWire, { maxAnswerBytes })), [Symbol.asyncDispose]: () => held.disposeAsync() }
  }

  it('carries what JSON and URLs can say, and refuses what they cannot', async () => {
    await using to = await scene()
    const body = { text: 'Grüße, 世界 🌍 \u0000\u2028\ufffd', numbers: [0, -1.5e300], nothing: null, deep: { a: [{ b: [] }] } }
    expect(await to.send(operation('make'), body)).toEqual({ ok: true, output: body })
    expect(await to.send(operation('make'))).toEqual({ ok: true, output: null })
    const found = { id: 'a/b ?&ü', page: 7, tags: ['x', 'y z'] }
    expect(await to.send(operation('find'), { ...found, unknown: { field: 1 } })).toEqual({ ok: true, output: found })
    expect(await to.send(operation('rename'), { id: '%2F', name: 'new' })).toEqual({ ok: true, output: { id: '%2F', name: 'new' } })
    expect(await to.send(operation('forget'), { id: '1' })).toEqual({ ok: true, output: undefined })
    await expect(to.send(operation('find'), { id: '..' })).rejects.toMatchObject({ code: 'invalidInput' })
  })

  it('carries many calls at once, each to its own answer', async () => {
    await using to = await scene({ make: async (input) => (await Promise.resolve(), { ok: true, output: input }) })
    const all = Array.from({ length: 1_800 }, (_, number) => ({ number, text: 'x'.repeat(number % 500) }))
    const outputs = await Promise.all(all.map((input) => to.send(operation('make'), input)))
    expect(outputs).toEqual(all.map((output) => ({ ok: true, output })))
  })

  it('carries trace, deadline, user agent and idempotency key', async () => {
    const heard: HttpRequest[] = []
    await using to = await scene({ make: async (input, request) => (heard.push(request), { ok: true, output: input }) })
    await to.send(operation('make'), 1, { deadlineAtMs: systemClock.nowMs() + 60_000, userAgent: 'orders/1.0.0', idempotencyKey: 'k-1' })
    await to.send(operation('make'), 2)
    expect(heard[0]!.headers).toMatchObject({
      traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
      'user-agent': 'orders/1.0.0',
      'idempotency-key': 'k-1',
    })
    expect(heard[0]!.remainingMs).toBeGreaterThan(50_000)
    expect(heard[0]!.remainingMs).toBeLessThanOrEqual(59_995)
    expect([heard[1]!.headers['user-agent'], heard[1]!.headers['idempotency-key'], heard[1]!.remainingMs]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })

  it('brings back problems with their particulars and when to come again', async () => {
    const refused = declaredProblem('things', 'outOfStock', outOfStock, 'There are 2 left', { left: 2 })
    await using to = await scene({
      make: async () => ({ ok: false, problem: refused, retryAfterMs: 2_500 }),
      count: async () => ({ ok: false, problem: platformProblem('unavailable') }),
    })
    expect(await to.send(operation('make'))).toEqual({ ok: false, problem: refused, retryAfterMs: 3_000 })
    expect(await to.send(operation('count'))).toMatchObject({
      ok: false,
      problem: { code: 'unavailable', status: 503 },
      retryAfterMs: 1_000,
    })
  })

  it('brings back what stands in for something in an answer, also in a large one', async () => {
    const degraded = [{ operation: 'catalog.getProduct', because: 'unavailable', answer: 'lastKnown', ageMs: 42_000 }] as const
    const large = 'x'.repeat(300_000)
    await using to = await scene({
      find: async () => ({ ok: true, output: 1, degraded }),
      make: async () => ({ ok: true, output: large, degraded }),
    })
    expect(await to.send(operation('find'), { id: '1' })).toEqual({ ok: true, output: 1, degraded })
    expect(await to.send(operation('make'))).toEqual({ ok: true, output: large, degraded })
  })

  it('tells an answer that breaks the contract', async () => {
    await using to = await scene({ count: async () => ({ ok: true, output: { things: 'many' } }) })
    expect(await to.send(operation('count'))).toMatchObject({
      ok: false,
      problem: { code: 'unavailable' },
      reason: expect.stringContaining('it answered what its contract does not promise: /things'),
    })
  })

  it('never reaches another operation than the one that was meant', async () => {
    const later = contract('things', {
      version: '2.0.0',
      operations: {
        find: get('/things/{id}/parts', { input: z.object({ id: z.string() }), output: z.unknown() }),
        rename: del('/things', { input: z.object({ id: z.string() }), output: z.unknown() }),
        // Another name, and still the same.
        create: post('/things', { input: z.unknown(), output: z.unknown() }),
      },
    })
    const ofLater = boundOperations(later)
    await using to = await scene()
    expect(await to.send(ofLater.get('find')!, { id: '1' })).toMatchObject({ problem: { status: 404, code: 'notFound' } })
    expect(await to.send(ofLater.get('rename')!, { id: '1' })).toMatchObject({ problem: { status: 405, code: 'methodNotAllowed' } })
    expect(await to.send(ofLater.get('create')!, { id: '1' })).toEqual({ ok: true, output: { id: '1' } })
  })

  it('tells the service when the caller stops waiting', async () => {
    const begun = Promise.withResolvers<AbortSignal>()
    await using to = await scene({ make: (_input, { signal }) => (begun.resolve(signal()), new Promise(() => {})) })
    const caller = new AbortController()
    to.send(operation('make'), 1, { signal: () => caller.signal }).catch(() => undefined)
    const signal = await begun.promise
    expect(signal.aborted).toBe(false)
    caller.abort()
    await expect.poll(() => signal.aborted).toBe(true)
  })

  it('tells the service when the caller has gone', async () => {
    const begun = Promise.withResolvers<AbortSignal>()
    await using to = await scene({ make: (_input, { signal }) => (begun.resolve(signal()), new Promise(() => {})) })
    const lost = to.send(operation('make'), 1).catch((error: unknown) => error)
    const signal = await begun.promise
    await to.link.close()
    expect(await lost).toMatchObject({ code: 'unavailable', data: { unsent: false } })
    await expect.poll(() => signal.aborted).toBe(true)
  })

  it('carries large bodies and answers, and refuses what is too large', async () => {
    await using to = await scene(
      { count: async () => ({ ok: true, output: { things: 1, text: 'ü'.repeat(900_000) } }) },
      undefined,
      1_500_000,
    )
    const large = { text: 'ü'.repeat(400_000) }
    const [answer, small] = await Promise.all([to.send(operation('make'), large), to.send(operation('make'), 'small')])
    expect([answer, small]).toEqual([
      { ok: true, output: large },
      { ok: true, output: 'small' },
    ])
    expect(await to.send(operation('make'), { text: 'x'.repeat(1_100_000) })).toMatchObject({
      problem: { status: 413, code: 'bodyTooLarge' },
    })
    await expect(to.send(operation('count'))).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('its answer is larger than 1500000 bytes'),
    })
    expect(await to.send(operation('make'), 'after that')).toEqual({ ok: true, output: 'after that' })
  })

  it('is refused by a service that has too much to do, bulk first and what is critical last', async () => {
    const admission = new Admission(systemClock, { limit: { ...ADAPTIVE_LIMIT_DEFAULTS, initial: 1, min: 1, max: 1 }, maxWaitMs: 100 })
    const begun: string[] = []
    const ends: (() => void)[] = []
    const held =
      (name: string): Answer =>
      () => (begun.push(name), new Promise((resolve) => ends.push(() => resolve({ ok: true, output: 1 }))))
    await using to = await scene({ tidy: held('tidy'), rescue: held('rescue') }, admission)
    const refused: CallResponse[] = []
    const send = (name: 'tidy' | 'rescue'): Promise<unknown> =>
      to.send(operation(name)).then(
        (response) => response.ok || refused.push(response),
        () => undefined,
      )
    const all = [send('tidy')]
    await expect.poll(() => begun).toEqual(['tidy'])
    // With 10 ms for each, five more have their turn within 50 ms.
    for (let n = 0; n < 9; n++) all.push(send('tidy'))
    await expect.poll(() => refused.length).toBe(4)
    expect(refused[0]).toMatchObject({ ok: false, problem: { code: 'overloaded', status: 503 }, retryAfterMs: 1_000 })
    // What is critical waits up to 100 ms, and does not count the others.
    for (let n = 0; n < 11; n++) all.push(send('rescue'))
    await expect.poll(() => refused.length).toBe(5)
    ends[0]!()
    await expect.poll(() => begun[1]).toBe('rescue')
  })

  it('says that a call has certainly not been sent when nobody listens', async () => {
    const { url, held } = await scene()
    await held.disposeAsync()
    await using to = linkTo(url, fastWire)
    await expect(to.send(operation('make'), 1)).rejects.toMatchObject({ code: 'unavailable', data: { unsent: true } })
  })

  it('does not say so of one that has arrived when the service dies', async () => {
    const begun = Promise.withResolvers<void>()
    await using to = await scene({ make: (...given) => (begun.resolve(), never(...given)) })
    const lost = to.send(operation('make'), 1).catch((error: unknown) => error)
    await begun.promise
    await to.held.disposeAsync()
    expect(await lost).toMatchObject({ code: 'unavailable', data: { unsent: false } })
  })
})

it('is offered on a connection that asks for nothing else, and any other change is passed over', async () => {
  await using listener = await listen({ contract: things, answers: answers({}) })
  const ask = (head: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect(listener.server.port, '127.0.0.1', () => socket.write(head))
      socket.once('data', (chunk) => (socket.destroy(), resolve(chunk.toString('latin1').split('\r\n')[0]!)))
      socket.once('error', reject)
    })
  const upgradeTo = (protocol: string): string => `GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`
  expect(await ask(upgradeTo('skerry-wire/1'))).toBe('HTTP/1.1 101 Switching Protocols')
  expect(await ask(upgradeTo('skerry-wire/2'))).toBe('HTTP/1.1 404 Not Found')
  expect(await ask(upgradeTo('websocket'))).toBe('HTTP/1.1 404 Not Found')
})
