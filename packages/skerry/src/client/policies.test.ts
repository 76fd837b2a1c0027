import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { VirtualClock } from '../base/clock.ts'
import { seededRandom } from '../base/random.ts'
import { contract } from '../contract/contract.ts'
import { get, post } from '../contract/operation.ts'
import { platformProblem, problem } from '../contract/problem.ts'
import type { CallEvent } from './call-event.ts'
import { createClient } from './client.ts'
import { Dependency } from './dependency.ts'
import type { CallRequest, CallResponse } from './link.ts'
import type { DependencyPolicies } from './policies.ts'
import { using } from './policies.ts'

const Stock = z.object({ sku: z.string(), left: z.int() })
const stock = contract('stock', {
  version: '1.0.0',
  operations: {
    find: get('/stock/{sku}', {
      input: z.object({ sku: z.string().toLowerCase(), page: z.int().default(1) }),
      output: Stock,
      errors: { closed: problem(503, 'Closed'), unknown: problem(404, 'Unknown') },
    }),
    count: get('/count', { output: z.int() }),
    adjust: post('/stock', { output: z.int() }),
  },
})

type Answer = CallResponse | 'silence'
const down: CallResponse = { ok: false, problem: platformProblem('unavailable') }
const busy: CallResponse = { ok: false, problem: platformProblem('overloaded') }
const said = (code: string, status: number): CallResponse => ({ ok: false, problem: { ...platformProblem('internal'), code, status } })
const left = (count: number): CallResponse => ({ ok: true, output: { sku: 'mug', left: count } })

/** A client with policies, of one instance that answers what it is set to. */
function calling(policies: DependencyPolicies<typeof stock>) {
  const clock = new VirtualClock()
  const random = seededRandom(1)
  const events: CallEvent[] = []
  const service = { answer: left(5) as Answer, asked: 0, hold: undefined as Promise<CallResponse> | undefined }
  const link = {
    send: async (_request: CallRequest): Promise<CallResponse> => {
      service.asked++
      if (service.hold !== undefined) return service.hold
      return service.answer === 'silence' ? new Promise(() => undefined) : structuredClone(service.answer)
    },
    close: async () => undefined,
  }
  const dependency = new Dependency({ clock, random }, [{ id: 'one', link }])
  const client = (own?: DependencyPolicies<typeof stock>) =>
    createClient(stock, { dependency, clock, random, using: own && using(stock, own), onEvent: (event) => events.push(event) })
  /** What comes of it, however long it takes on the clock. */
  async function outcome<T>(work: Promise<T>): Promise<T> {
    const [, value] = await Promise.all([clock.advance('1m'), work])
    return value
  }
  return { clock, service, events, outcome, call: client(policies), usual: client() }
}

describe('a fallback', () => {
  it.each<[string, Answer, string]>([
    ['cannot be reached', down, 'unavailable'],
    ['fails inside', said('internal', 500), 'unavailable'],
    ['has too much to do', busy, 'overloaded'],
    ['does not answer', 'silence', 'deadlineExceeded'],
  ])('answers for an operation that %s, is told why, and is marked', async (_what, answer, because) => {
    const { call, service, outcome, events } = calling({
      operations: { find: { fallback: ({ input, failure }) => ({ sku: `${input.sku} ${input.page} ${failure.code}`, left: 0 }) } },
    })
    service.answer = answer
    const degradation = { operation: 'stock.find', because, answer: 'fallback' }
    expect(await outcome(call.find.try({ sku: 'mug' }))).toEqual({
      ok: true,
      value: { sku: `mug 1 ${because}`, left: 0 },
      degraded: [degradation],
    })
    expect(await outcome(call.find({ sku: 'mug' }))).toEqual({ sku: `mug 1 ${because}`, left: 0 })
    expect(events.filter(({ kind }) => kind === 'degraded')).toMatchObject([{ degradation }, { degradation }])
  })

  it.each([
    ['a problem that the contract declares', said('closed', 503), 'closed'],
    ['another', said('unknown', 404), 'unknown'],
  ])('does not stand in for %s', async (_what, answer, code) => {
    const { call, service, outcome } = calling({ operations: { find: { lastKnown: true, fallback: () => ({ sku: '', left: 0 }) } } })
    await call.find({ sku: 'mug' })
    service.answer = answer
    expect(await outcome(call.find.try({ sku: 'mug' }))).toMatchObject({ ok: false, error: { code } })
  })

  it('comes after all attempts, and not in their place', async () => {
    const { call, service, outcome, events } = calling({ operations: { find: { fallback: () => ({ sku: '', left: 0 }) } } })
    service.answer = down
    await outcome(call.find({ sku: 'mug' }))
    expect(service.asked).toBe(2)
    expect(events.map(({ kind }) => kind)).toEqual(['retried', 'degraded'])
  })

  it('may leave the failure as it is', async () => {
    const { call, service, outcome } = calling({ operations: { find: { fallback: () => undefined } } })
    service.answer = down
    expect(await outcome(call.find.try({ sku: 'mug' }))).toMatchObject({ ok: false, error: { code: 'unavailable' } })
  })

  it('that breaks the contract is a mistake, and says which', async () => {
    const { call, service, outcome } = calling({ operations: { count: { fallback: () => 1.5 } } })
    service.answer = down
    const mistake = 'The fallback of stock.count answers what its contract does not promise'
    await expect(outcome(call.count.try())).rejects.toThrow(mistake)
  })

  it('does not make up an answer to what the contract refuses', async () => {
    const { call, service, outcome } = calling({ operations: { find: { fallback: () => ({ sku: '', left: 0 }) } } })
    service.answer = down
    expect(await outcome(call.find.try({ sku: 1 as unknown as string }))).toMatchObject({ ok: false })
  })
})

describe('the last known answer', () => {
  it('is said with its age, to the same input only, and not when it is too old', async () => {
    const { call, service, clock, outcome } = calling({ operations: { find: { lastKnown: { maxAge: '5m' } } } })
    await call.find({ sku: 'mug' })
    service.answer = down
    await clock.advance('2m')
    const first = call.find.try({ sku: 'mug' })
    await clock.advance('1s')
    expect(await first).toMatchObject({ ok: true, value: { left: 5 }, degraded: [{ answer: 'lastKnown' }] })
    expect((await first) as { degraded?: { ageMs?: number }[] }).toHaveProperty('degraded.0.ageMs', expect.closeTo(120_000, -3))
    expect(await outcome(call.find.try({ sku: 'pen' }))).toMatchObject({ ok: false })
    await clock.advance('5m')
    expect(await outcome(call.find.try({ sku: 'mug' }))).toMatchObject({ ok: false, error: { code: 'unavailable' } })
  })

  it('is followed by the fallback when there is none', async () => {
    const { call, service, outcome } = calling({ operations: { find: { lastKnown: true, fallback: () => ({ sku: '', left: 0 }) } } })
    service.answer = down
    expect(await outcome(call.find.try({ sku: 'mug' }))).toMatchObject({ degraded: [{ answer: 'fallback' }] })
  })

  it('is kept for so many inputs, and is a copy', async () => {
    const { call, service, outcome } = calling({ operations: { find: { lastKnown: { entries: 2 } } } })
    for (const sku of ['a', 'b', 'c']) ((await call.find({ sku })) as { left: number }).left = 99
    service.answer = down
    expect(await outcome(call.find.try({ sku: 'a' }))).toMatchObject({ ok: false })
    const kept = await outcome(call.find({ sku: 'b' }))
    expect(kept.left).toBe(5)
    ;(kept as { left: number }).left = 98
    expect((await outcome(call.find({ sku: 'b' }))).left).toBe(5)
  })
})

describe('what is last known', () => {
  const long = (sku: string, length: number): CallResponse => ({ ok: true, output: { sku: sku.repeat(length), left: 5 } })

  it('takes no more memory than it may, however long the answers are: the oldest goes first', async () => {
    const { call, service, outcome } = calling({ operations: { find: { lastKnown: { maxBytes: 5_000 } } } })
    for (const sku of ['a', 'b', 'c']) {
      service.answer = long(sku, 1_000)
      await call.find({ sku })
    }
    service.answer = down
    expect(await outcome(call.find.try({ sku: 'a' }))).toMatchObject({ ok: false })
    for (const sku of ['b', 'c'])
      expect(await outcome(call.find.try({ sku }))).toMatchObject({ ok: true, value: { sku: sku.repeat(1_000) } })
  })

  it('is no answer that is too long, nor is what it takes the place of said any more', async () => {
    const { call, service, outcome } = calling({ operations: { find: { lastKnown: true } } })
    await call.find({ sku: 'mug' })
    await call.find({ sku: 'pen' })
    service.answer = long('x', 131_072)
    await call.find({ sku: 'mug' })
    service.answer = down
    expect(await outcome(call.find.try({ sku: 'mug' }))).toMatchObject({ ok: false })
    expect(await outcome(call.find.try({ sku: 'pen' }))).toMatchObject({ ok: true })
  })

  it('is one answer for all inputs that the schema makes the same', async () => {
    const { call, service, outcome } = calling({ operations: { find: { lastKnown: { entries: 2 } } } })
    await call.find({ sku: 'pen' })
    for (const sku of ['mug', 'Mug', 'MUG', 'mUg']) await call.find({ sku })
    await call.find({ page: 1, sku: 'mug' })
    service.answer = down
    expect(await outcome(call.find.try({ sku: 'MuG' }))).toMatchObject({ ok: true, degraded: [{ answer: 'lastKnown' }] })
    expect(await outcome(call.find.try({ sku: 'pen' }))).toMatchObject({ ok: true })
    expect(await outcome(call.find.try({ sku: 'pen', page: 2 }))).toMatchObject({ ok: false })
  })

  it.each([
    ['that it is not there', said('unknown', 404)],
    ['a problem that says so in another way', said('closed', 503)],
    ['a problem that the contract does not declare', said('gone', 410)],
  ])('is forgotten after the answer %s', async (_what, answer) => {
    const { call, service, outcome } = calling({ operations: { find: { lastKnown: true } } })
    await call.find({ sku: 'mug' })
    await call.find({ sku: 'pen' })
    service.answer = answer
    // One that is not declared is thrown in any case.
    await outcome(call.find.try({ sku: 'mug' }).catch(() => undefined))
    service.answer = down
    expect(await outcome(call.find.try({ sku: 'mug' }))).toMatchObject({ ok: false, error: { code: 'unavailable' } })
    expect(await outcome(call.find.try({ sku: 'pen' }))).toMatchObject({ ok: true })
  })

  it.each([
    ['a newer answer', left(7), { ok: true, value: { left: 7 } }],
    ['the answer that it is gone', said('unknown', 404), { ok: false, error: { code: 'unavailable' } }],
  ])('is not what a slow answer says after %s', async (_what, newer, expected) => {
    const { call, service, outcome } = calling({ operations: { find: { lastKnown: true } } })
    const slow = Promise.withResolvers<CallResponse>()
    service.hold = slow.promise
    const first = call.find({ sku: 'mug' })
    await expect.poll(() => service.asked).toBe(1)
    service.hold = undefined
    service.answer = newer
    await call.find.try({ sku: 'mug' })
    slow.resolve(left(5))
    expect(await first).toMatchObject({ left: 5 })
    service.answer = down
    expect(await outcome(call.find.try({ sku: 'mug' }))).toMatchObject(expected)
  })
})

describe('policies', () => {
  it('say for one caller how often calls are made again', async () => {
    const { call, usual, service, outcome } = calling({
      retry: { attempts: 4, backoff: '1ms..1ms' },
      operations: { count: { retry: { attempts: 1 } } },
    })
    service.answer = down
    await outcome(call.find.try({ sku: 'mug' }))
    expect(service.asked).toBe(4)
    await outcome(call.count.try())
    expect(service.asked).toBe(5)
    await outcome(usual.count.try())
    expect(service.asked).toBe(7)
  })

  it('give a caller circuit breakers of its own', async () => {
    const { call, usual, service, clock } = calling({ operations: { adjust: { breaker: { failures: 2, openFor: '1s' } } } })
    service.answer = down
    for (let made = 0; made < 4; made++) await call.adjust.try()
    expect(service.asked).toBe(2)
    await usual.adjust.try()
    expect(service.asked).toBe(3)
    await clock.advance('1s')
    service.answer = { ok: true, output: 1 }
    expect(await call.adjust()).toBe(1)
  })

  it('limit how much one caller may ask at once, in all and of one operation', async () => {
    const { call, usual, service, clock } = calling({ maxConcurrent: 2, operations: { adjust: { maxConcurrent: 1 } } })
    service.answer = 'silence'
    const refused = { ok: false, error: { code: 'overloaded' } }
    const waiting = [call.adjust.try()]
    expect(await call.adjust.try()).toMatchObject(refused)
    waiting.push(call.count.try())
    expect(await call.find.try({ sku: 'mug' })).toMatchObject(refused)
    expect(service.asked).toBe(2)
    waiting.push(usual.adjust.try())
    expect(service.asked).toBe(3)
    await clock.advance('3s')
    await Promise.all(waiting)
    service.answer = left(1)
    expect(await call.find({ sku: 'mug' })).toMatchObject({ left: 1 })
  })

  it('say how long to wait', async () => {
    const { call, service, clock } = calling({ operations: { count: { deadline: '200ms' } } })
    service.answer = 'silence'
    const answer = call.count.try()
    await clock.advance(200)
    expect(await answer).toMatchObject({ ok: false, error: { code: 'deadlineExceeded' } })
  })

  it('that are wrong are refused all at once, with what is wrong and where', () => {
    const wrong = {
      retry: { attempts: 0, backoff: '1s..1ms' },
      breaker: { failures: 1.5, failureRate: 2, openFor: '0s' },
      maxConcurrent: -1,
      operations: {
        find: { deadline: 'soon', lastKnown: { entries: 0, maxBytes: 1.5, maxAge: '0s' } },
        adjust: { hedge: true, lastKnown: true },
        forget: {},
      },
    } as unknown as DependencyPolicies<typeof stock>
    expect(() => using(stock, wrong)).toThrowErrorMatchingInlineSnapshot(`
      [SkerryError: using(stock, …) is not valid:
        - retry.attempts must be a whole number from 1, not 0
        - retry.backoff must be two durations, the shorter first, such as 25ms..250ms, not 1s..1ms
        - breaker.failures must be a whole number from 1, not 1.5
        - breaker.failureRate must be above 0 and at most 1, not 2
        - breaker.openFor must be a duration above zero such as 30s, not 0s
        - maxConcurrent must be a whole number from 1, not -1
        - operations.find.deadline must be a duration above zero such as 500ms, not soon
        - operations.find.lastKnown.entries must be a whole number from 1, not 0
        - operations.find.lastKnown.maxBytes must be a whole number from 1, not 1.5
        - operations.find.lastKnown.maxAge must be a duration above zero such as 10m, not 0s
        - operations.adjust.hedge: only a GET may be asked of two at once, and this is a POST
        - operations.adjust.lastKnown: what was said last tells nothing of the next, for this is a POST
        - operations.forget: the contract declares no such operation]
    `)
  })
})
