import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { VirtualClock } from '../base/clock.ts'
import { SkerryError } from '../base/errors.ts'
import { seededRandom } from '../base/random.ts'
import { boundOperations } from '../contract/bound-operation.ts'
import { contract } from '../contract/contract.ts'
import { get, post } from '../contract/operation.ts'
import { platformProblem, problem } from '../contract/problem.ts'
import type { RetryPolicy } from '../resilience/retry.ts'
import type { SpanRecord } from '../telemetry/span.ts'
import { createTelemetry } from '../telemetry/telemetry.ts'
import { createCaller } from './caller.ts'
import type { Caller } from './caller.ts'
import { Dependency } from './dependency.ts'
import type { CallRequest, CallResponse } from './link.ts'

const stock = contract('stock', {
  version: '1.0.0',
  operations: {
    find: get('/items', { output: z.string(), errors: { closed: problem(503, 'Closed') } }),
    adjust: post('/items', { output: z.string() }),
    reserve: post('/reservations', { output: z.string(), idempotent: true }),
  },
})

const good: CallResponse = { ok: true, output: 'good' }
const down: CallResponse = { ok: false, problem: platformProblem('unavailable') }
const busy = (retryAfterMs: number): CallResponse => ({ ok: false, problem: platformProblem('overloaded'), retryAfterMs })
const broken: CallResponse = { ok: false, problem: platformProblem('internal') }
const closed: CallResponse = { ok: false, problem: { ...platformProblem('unavailable'), code: 'closed' } }
const refused = (): never => {
  throw new SkerryError('unavailable', 'ECONNREFUSED', { data: { unsent: true } })
}
type Answer = CallResponse | (() => never) | 'silence'

/** Instances that answer one thing after the other, the last one for ever. */
function scripted(
  instances: Readonly<Record<string, readonly Answer[]>>,
  { maxConcurrent, retry }: { maxConcurrent?: number; retry?: RetryPolicy } = {},
) {
  const clock = new VirtualClock()
  const random = seededRandom(1)
  const asked: { readonly at: string; readonly request: CallRequest; readonly ms: number }[] = []
  const startMs = clock.nowMs()
  const links = Object.entries(instances).map(([id, script]) => {
    const left = [...script]
    return {
      id,
      link: {
        send: async (request: CallRequest): Promise<CallResponse> => {
          asked.push({ at: id, request, ms: clock.nowMs() - startMs })
          const answer = left.length > 1 ? left.shift()! : left[0]!
          if (answer === 'silence') return new Promise(() => undefined)
          return typeof answer === 'function' ? answer() : answer
        },
        close: async () => undefined,
      },
    }
  })
  const dependency = new Dependency({ clock, random, maxConcurrent }, links)
  const spans: SpanRecord[] = []
  const telemetry = createTelemetry({ clock, random: seededRandom(2), onSpan: (span) => spans.push(span) })
  const callerOf = (name: keyof typeof stock.operations): Caller =>
    createCaller(boundOperations(stock).get(name)!, { dependency, clock, random, retry, telemetry: telemetry.of('test') })
  /** Makes a call and lets a minute pass. */
  const call = async (name: keyof typeof stock.operations, options?: Parameters<Caller>[1]): Promise<CallResponse> => {
    const answer = callerOf(name)(undefined, options)
    await clock.advance('1m')
    return answer
  }
  return { clock, asked, spans, metrics: telemetry.metrics, callerOf, call, at: () => asked.map(({ at }) => at) }
}

describe('a call that fails', () => {
  it.each<[string, keyof typeof stock.operations, readonly Answer[], Parameters<Caller>[1], number]>([
    ['is made again when it only reads', 'find', [down, good], undefined, 2],
    ['is not made again when it may take effect twice', 'adjust', [down, good], undefined, 1],
    ['is made again when it never left, whatever it does', 'adjust', [refused, good], undefined, 2],
    ['is not made again without a key that its service knows it by', 'reserve', [down, good], undefined, 1],
    ['is made again under its key', 'reserve', [down, good], { idempotencyKey: 'k' }, 2],
    ['is made again only once', 'find', [down], undefined, 2],
    ['is not made again for an error inside', 'find', [broken, good], undefined, 1],
    ['is not made again for a problem that its contract declares', 'find', [closed, good], undefined, 1],
  ])('%s', async (_what, name, script, options, times) => {
    const { call, asked } = scripted({ one: script })
    const answer = await call(name, options)
    expect(asked).toHaveLength(times)
    expect(answer.ok).toBe(times === 2 && script.length === 2)
    expect(new Set(asked.map(({ request }) => request.idempotencyKey)).size).toBe(1)
    expect(new Set(asked.map(({ request }) => request.trace.spanId)).size).toBe(times)
    expect(new Set(asked.map(({ request }) => request.trace.traceId)).size).toBe(1)
  })

  it('is not made again before its service wants it, nor when that is too late', async () => {
    const soon = scripted({ one: [busy(1_000), good] })
    expect(await soon.call('find')).toEqual(good)
    const [first, second] = soon.asked.map(({ ms }) => ms)
    expect(first).toBe(0)
    expect(second).toBeGreaterThanOrEqual(1_000)
    expect(second).toBeLessThan(1_025)
    const late = scripted({ one: [busy(4_000), good] })
    expect(await late.call('find')).toMatchObject({ ok: false, problem: { code: 'overloaded' } })
    expect(late.asked).toHaveLength(1)
  })

  it('goes to another instance, and comes back to the first when there is none', async () => {
    const two = scripted({ one: [down], two: [down] }, { retry: { attempts: 3, minBackoffMs: 25, maxBackoffMs: 250 } })
    await two.call('find')
    expect(two.at().slice(0, 2).toSorted()).toEqual(['one', 'two'])
    expect(two.asked).toHaveLength(3)
  })

  it('is answered when its deadline has passed, however many attempts are left', async () => {
    const { callerOf, clock, asked } = scripted({ one: ['silence'] }, { retry: { attempts: 9, minBackoffMs: 25, maxBackoffMs: 250 } })
    const answer = callerOf('find')(undefined, { deadline: '200ms' })
    await clock.advance(200)
    expect(await answer).toMatchObject({ ok: false, problem: { code: 'deadlineExceeded' } })
    expect(asked).toHaveLength(1)
    expect(asked[0]!.request.signal().aborted).toBe(false)
  })
})

describe('an answer that came too late', () => {
  it('says what each attempt took, and what the callee has said of its own', async () => {
    const { callerOf, clock } = scripted({ one: [down, 'silence'] })
    const answer = callerOf('find')(undefined, { deadline: '200ms' })
    await clock.advance(200)
    const { problem } = (await answer) as CallResponse & { ok: false }
    expect(problem.detail).toBe('stock.find did not answer in time: stock.find 200 ms in 2 attempts without an answer')
    const [{ attempts = [] } = {}] = problem.timing!
    expect(attempts.reduce((sum, { pauseMs, ms }) => sum + pauseMs + ms, 0)).toBeCloseTo(200, 2)
    const told = [{ operation: 'shelves.look', ms: 150, outcome: 'waiting' as const }]
    const late = scripted({ one: [{ ok: false, problem: { ...platformProblem('deadlineExceeded'), timing: told } }] })
    expect(await late.call('adjust')).toMatchObject({
      problem: { timing: [{ operation: 'stock.adjust', outcome: 'failed', waitedFor: told }] },
    })
  })
})

describe('in a total outage', () => {
  it('an instance sees little more than the first attempts, and from the fifth failure on nothing', async () => {
    const { callerOf, clock, asked } = scripted({ one: [down] })
    for (let call = 0; call < 50; call++) {
      const answer = callerOf('find')(undefined)
      await clock.advance(100)
      await answer
    }
    expect(asked).toHaveLength(5)
  })

  it('retries are at most a fifth of the calls and ten a second, when no circuit breaker is in the way', async () => {
    // Answers in between keep every circuit breaker closed.
    const { callerOf, clock, asked } = scripted({ one: Array.from({ length: 20_000 }, (_, index) => (index % 3 === 0 ? good : down)) })
    const calls = 5_000
    const answers: Promise<CallResponse>[] = []
    for (let call = 0; call < calls; call++) {
      answers.push(callerOf('find')(undefined))
      await clock.advance(1)
    }
    await clock.advance('10s')
    await Promise.all(answers)
    const [first] = asked
    expect(first).toBeDefined()
    expect(asked.length - calls).toBeLessThanOrEqual(calls * 0.2 + 10 * 10)
  })
})

it('a call that was made again shows that in its trace, with the attempt below it', async () => {
  const { call, spans } = scripted({ one: [down, good] })
  expect(await call('find')).toEqual(good)
  const [again, whole] = spans
  expect(whole).toMatchObject({
    name: 'stock.find',
    kind: 'client',
    failure: undefined,
    events: [{ name: 'retry', attributes: { 'error.type': 'unavailable', 'skerry.retry.attempt': 2 } }],
  })
  expect(again).toMatchObject({
    name: 'stock.find',
    parentSpanId: whole!.spanId,
    failure: undefined,
    attributes: { 'http.request.resend_count': 1 },
  })
})

describe('the circuit breaker', () => {
  it('that is open is not waited for, however soon it lets one through', async () => {
    const { callerOf, clock, asked } = scripted({ one: [down] })
    for (let made = 0; made < 5; made++) {
      const answer = callerOf('find')(undefined)
      await clock.advance(100)
      await answer
    }
    await clock.advance('29s')
    // Time stands still: whoever waited would never get here.
    expect(await callerOf('find')(undefined, { deadline: '10s' })).toMatchObject({ ok: false, problem: { code: 'unavailable' } })
    expect(asked).toHaveLength(5)
  })

  it('opens for one operation of one instance, and calls go to the other', async () => {
    const { call, at } = scripted({ bad: [down], good: [good] })
    for (let made = 0; made < 60; made++) expect(await call('find')).toEqual(good)
    // Five failures, and one probe every thirty seconds or later.
    expect(at().filter((id) => id === 'bad').length).toBeLessThan(60)
  })

  it('says in the spans of calls, and in a metric, that it has opened and closed', async () => {
    const { callerOf, clock, spans, metrics } = scripted({ one: [broken, broken, broken, broken, broken, good] })
    for (let made = 0; made < 6; made++) await callerOf('find')(undefined)
    await clock.advance('31s')
    await callerOf('find')(undefined)
    const said = spans.map(({ failure = '', events }) => [failure, ...events.map(({ name }) => name)].join('; '))
    expect(said.slice(4)).toEqual([
      expect.stringContaining('circuit breaker opened'),
      'its circuit breaker is open after repeated failures',
      '; circuit breaker closed',
    ])
    const changes = (await metrics.snapshot()).find(({ name }) => name === 'skerry.circuit_breaker.changes')
    expect(changes!.points.map((point) => [point.labels['skerry.circuit_breaker.change'], 'value' in point && point.value])).toEqual([
      ['opened', 1],
      ['closed', 1],
    ])
  })

  it('does not open for answers that say that it is too much', async () => {
    const { callerOf, clock, asked } = scripted({ one: [busy(60_000)] })
    for (let made = 0; made < 20; made++) {
      await callerOf('adjust')(undefined)
      await clock.advance(1)
    }
    expect(asked).toHaveLength(20)
  })

  it('does not open for problems that the contract declares, whatever their status', async () => {
    const { callerOf, asked } = scripted({ one: [closed] })
    for (let made = 0; made < 50; made++) await callerOf('find')(undefined)
    expect(asked).toHaveLength(50)
  })

  it('opens when half of many calls fail, though never five in a row', async () => {
    const { callerOf, asked, clock } = scripted({ one: Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? down : good)) })
    for (let made = 0; made < 60; made++) {
      await callerOf('adjust')(undefined)
      await clock.advance(10)
    }
    expect(asked.length).toBeGreaterThanOrEqual(20)
    expect(asked.length).toBeLessThan(25)
  })
})

describe('an instance that hangs', () => {
  it('is left alone by those, too, who do not wait for long', async () => {
    const { callerOf, clock, at } = scripted({ hangs: ['silence'], answers: [good] })
    for (let made = 0; made < 200; made++) {
      void callerOf('find')(undefined, { deadline: '1s' })
      await clock.advance(100)
    }
    expect(at().filter((id) => id === 'hangs').length).toBeLessThan(60)
  })
})

describe('how much is asked of a dependency at once', () => {
  it('has a bound: what comes on top is refused, and may come again when there is room', async () => {
    const { callerOf, clock, asked } = scripted({ one: ['silence', 'silence', good] }, { maxConcurrent: 2 })
    const waiting = [callerOf('adjust')(undefined), callerOf('find')(undefined)]
    expect(await callerOf('adjust')(undefined)).toMatchObject({ ok: false, problem: { code: 'overloaded', status: 503 } })
    expect(asked).toHaveLength(2)
    await clock.advance('3s')
    await Promise.all(waiting)
    expect(await callerOf('adjust')(undefined)).toEqual(good)
  })
})
