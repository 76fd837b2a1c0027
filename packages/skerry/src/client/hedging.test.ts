import { expect, it } from 'vitest'
import { z } from 'zod'
import { VirtualClock } from '../base/clock.ts'
import { SkerryError } from '../base/errors.ts'
import { seededRandom } from '../base/random.ts'
import { contract } from '../contract/contract.ts'
import { get } from '../contract/operation.ts'
import { journeyOf } from '../telemetry/journey.ts'
import { tracedWork } from '../telemetry/part.ts'
import type { SpanRecord } from '../telemetry/span.ts'
import { createTelemetry } from '../telemetry/telemetry.ts'
import { createClient } from './client.ts'
import { Dependency } from './dependency.ts'
import type { CallRequest, CallResponse } from './link.ts'
import { using } from './policies.ts'

const stock = contract('stock', { version: '1.0.0', operations: { find: get('/stock', { output: z.string() }) } })

/** Instances that answer with their names after so many milliseconds, as set; they stop when nobody waits any more. */
function hedging(names: readonly string[], { hedge = true }: { hedge?: boolean } = {}) {
  const clock = new VirtualClock()
  const random = seededRandom(3)
  const takesMs: Record<string, number> = Object.fromEntries(names.map((name) => [name, 5]))
  const asked: string[] = []
  const cancelled: string[] = []
  const events: string[] = []
  const spans: SpanRecord[] = []
  const links = names.map((id) => ({
    id,
    link: {
      send: ({ signal }: CallRequest): Promise<CallResponse> => {
        asked.push(id)
        return new Promise((resolve, reject) => {
          clock.setTimer(takesMs[id]!, () => resolve({ ok: true, output: id }))
          signal().addEventListener('abort', () => {
            cancelled.push(id)
            reject(new SkerryError('unavailable', 'aborted'))
          })
        })
      },
      close: async () => undefined,
    },
  }))
  const dependency = new Dependency({ clock, random }, links)
  const client = createClient(stock, {
    dependency,
    clock,
    random,
    using: using(stock, { operations: { find: { hedge } } }),
    onEvent: ({ kind }) => events.push(kind),
    telemetry: createTelemetry({ clock, random: seededRandom(5), onSpan: (span) => spans.push(span) }).of('shop'),
  })
  /** Makes calls one after the other, and says how long each took. */
  async function call(times: number): Promise<number[]> {
    const took: number[] = []
    for (let made = 0; made < times; made++) {
      const startMs = clock.nowMs()
      const answer = client.find()
      let isDone = false
      answer.catch(() => undefined).finally(() => (isDone = true))
      await clock.advance(0)
      while (!isDone) await clock.advance(1)
      await answer
      took.push(clock.nowMs() - startMs)
    }
    return took
  }
  return { clock, takesMs, asked, cancelled, events, spans, call, client, dependency, links }
}

it('asks another instance when the first takes longer than nearly all do, and tells the first', async () => {
  const { call, takesMs, cancelled, events, spans } = hedging(['a', 'b'])
  await call(100)
  expect(events).toEqual([])
  takesMs['a'] = 2_000
  const took = await call(5)
  expect(Math.max(...took)).toBeLessThan(20)
  expect(events).toContain('hedged')
  expect(new Set(cancelled)).toEqual(new Set(['a']))
  // One call is one call, however many are asked.
  expect(spans.length).toBeGreaterThan(105)
  expect(journeyOf(spans.map(tracedWork)).calls).toBe(105)
})

it('waits for the first when it is not asked to, and where there is no other', async () => {
  for (const { call, takesMs, events } of [hedging(['a', 'b'], { hedge: false }), hedging(['a'])]) {
    await call(50)
    for (const name of Object.keys(takesMs)) takesMs[name] = 200
    expect(Math.max(...(await call(1)))).toBeGreaterThanOrEqual(200)
    expect(events).toEqual([])
  }
})

it('knows nothing before there have been answers', async () => {
  const { call, takesMs, events } = hedging(['a', 'b'])
  takesMs['a'] = takesMs['b'] = 200
  await call(10)
  expect(events).toEqual([])
})

it('adds a twentieth to the load at most, however slow everything has become', async () => {
  const { call, takesMs, asked, clock } = hedging(['a', 'b', 'c'])
  await call(400)
  // Slower every time than nearly all that came before.
  let calls = 0
  for (let round = 1; round <= 100; round++) {
    for (const name of Object.keys(takesMs)) takesMs[name] = 15 + round
    calls += (await call(4)).length
  }
  expect(asked.length - 400 - calls).toBeGreaterThan(0)
  expect(asked.length - 400 - calls).toBeLessThanOrEqual((400 + calls) * 0.05)
  await clock.advance('1m')
})

it('does not count against the instance that nobody waited for', async () => {
  const { call, takesMs, cancelled, dependency, client, clock, links } = hedging(['a', 'b'])
  await call(400)
  takesMs['a'] = 500
  const all = Promise.all(Array.from({ length: 16 }, () => client.find()))
  await clock.advance('1s')
  await all
  expect(cancelled.length).toBeGreaterThanOrEqual(5)
  dependency.instances.replace(links.filter(({ id }) => id === 'a'))
  // Its circuit breaker is closed.
  expect(await call(1)).toEqual([500])
})
