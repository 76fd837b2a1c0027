import { expect, test } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import { seededRandom } from '../base/random.ts'
import { namedWork } from './named-work.ts'
import { samplerOf } from './sampler.ts'
import type { Sampler } from './sampler.ts'
import type { SpanRecord } from './span.ts'
import { createTelemetry, silentTelemetry } from './telemetry.ts'
import { formatTraceparent, parseTraceparent } from './trace-context.ts'

const DURATION = { name: 'work.duration', unit: 's', description: 'How long work took.', bounds: [0.01, 0.1, 1] }

function open(sampler?: Sampler) {
  const clock = new VirtualClock()
  const spans: SpanRecord[] = []
  const host = createTelemetry({
    clock,
    random: seededRandom(7),
    onSpan: (span) => spans.push(span),
    ...(sampler === undefined ? {} : { sampler }),
  })
  return { clock, spans, host, telemetry: host.of('orders') }
}

test('work that has ended is a span of its trace, with all that was said of it', async () => {
  const { clock, spans, telemetry } = open()
  const start = telemetry.work({ name: 'orders.placeOrder', kind: 'server', attributes: { 'rpc.method': 'orders.placeOrder' } })
  const outer = start(undefined)
  await clock.advance('5ms')
  const inner = telemetry.work({ name: 'transaction', kind: 'client' })(outer)
  inner.event('retry', { attempt: 2 })
  inner.set('rows', 3)
  await clock.advance('20ms')
  inner.end()
  await clock.advance('1ms')
  outer.end({ errorType: 'outOfStock', failed: false })
  const startMs = Date.parse('2026-01-01T00:00:00Z')
  expect(spans).toEqual([
    {
      traceId: outer.traceId,
      spanId: inner.spanId,
      parentSpanId: outer.spanId,
      service: 'orders',
      name: 'transaction',
      kind: 'client',
      startMs: startMs + 5,
      durationMs: 20,
      failure: undefined,
      attributes: { rows: 3 },
      events: [{ name: 'retry', atMs: startMs + 5, attributes: { attempt: 2 } }],
    },
    {
      traceId: outer.traceId,
      spanId: outer.spanId,
      parentSpanId: undefined,
      service: 'orders',
      name: 'orders.placeOrder',
      kind: 'server',
      startMs,
      durationMs: 26,
      failure: undefined,
      attributes: { 'rpc.method': 'orders.placeOrder', 'error.type': 'outOfStock' },
      events: [],
    },
  ])
})

test('a trace that came from elsewhere goes on, and its parent is who sent it', () => {
  const { spans, telemetry } = open()
  const parent = parseTraceparent('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')!
  telemetry.work({ name: 'x', kind: 'server' })(parent).end()
  expect(spans).toMatchObject([{ traceId: parent.traceId, parentSpanId: parent.spanId }])
})

test('work that ends twice has ended once', () => {
  const { spans, telemetry } = open()
  const span = telemetry.work({ name: 'x', kind: 'internal' })(undefined)
  span.end()
  span.end({ errorType: 'late' })
  expect(spans.map(({ failure }) => failure)).toEqual([undefined])
})

test('the durations of all work are measured, sampled or not, by how it ended', async () => {
  const { clock, spans, host, telemetry } = open(samplerOf('always_off', 1))
  const start = telemetry.work({ name: 'x', kind: 'server', duration: { of: DURATION, labels: { method: 'x' } } })
  for (const [tookMs, errorType] of [
    [5, undefined],
    [50, undefined],
    [500, 'unavailable'],
    [5_000, 'unavailable'],
  ] as const) {
    const span = start(undefined)
    expect(span.sampled).toBe(false)
    await clock.advance(tookMs)
    span.end(errorType === undefined ? {} : { errorType })
  }
  expect(spans).toEqual([])
  const labels = { 'service.name': 'orders', method: 'x' }
  expect(await host.metrics.snapshot()).toEqual([
    {
      ...DURATION,
      kind: 'histogram',
      points: [
        { labels, count: 2, sum: 0.055, buckets: [1, 1, 0, 0] },
        { labels: { ...labels, 'error.type': 'unavailable' }, count: 2, sum: 5.5, buckets: [0, 0, 1, 1] },
      ],
    },
  ])
})

test('what a parent decided about sampling holds for all below it', () => {
  const { spans, telemetry } = open(samplerOf('parentbased_always_off', 1))
  const start = telemetry.work({ name: 'x', kind: 'internal' })
  start(parseTraceparent('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')).end()
  start(parseTraceparent('00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203331-00')).end()
  start(undefined).end()
  expect(spans.map(({ traceId }) => traceId)).toEqual(['0af7651916cd43dd8448eb211c80319c'])
})

test('samplers that are not based on the parent decide for themselves, and so does every one for what comes from outside', () => {
  const sampled = parseTraceparent('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')!
  const never = open(samplerOf('always_off', 1))
  never.telemetry.work({ name: 'x', kind: 'internal' })(sampled).end()
  expect(never.spans).toEqual([])
  const always = open(samplerOf('always_on', 1))
  always.telemetry
    .work({ name: 'x', kind: 'internal' })({ ...sampled, sampled: false })
    .end()
  expect(always.spans).toHaveLength(1)
  const off = open(samplerOf('parentbased_always_off', 1))
  off.telemetry.work({ name: 'x', kind: 'server', fromOutside: true })(sampled).end()
  expect(off.spans).toEqual([])
  const on = open(samplerOf('parentbased_always_on', 1))
  on.telemetry
    .work({ name: 'x', kind: 'server', fromOutside: true })({ ...sampled, sampled: false })
    .end()
  expect(on.spans).toMatchObject([{ traceId: sampled.traceId, parentSpanId: sampled.spanId }])
})

test('of more kinds of failure than there should be the durations are measured together', async () => {
  const { host, telemetry } = open()
  const start = telemetry.work({ name: 'x', kind: 'server', duration: { of: DURATION, labels: {} } })
  for (let index = 0; index < 300; index++) start(undefined).end({ errorType: `kind-${index}` })
  const [durations] = await host.metrics.snapshot()
  expect(durations!.points.length).toBe(101)
  expect(durations!.points.at(-1)).toMatchObject({ labels: { 'error.type': '_OTHER' }, count: 200 })
})

test('a share of the traces is sampled, the same ones everywhere', () => {
  const sampler = samplerOf('traceidratio', 0.25)
  const { spans, telemetry } = open(sampler)
  const start = telemetry.work({ name: 'x', kind: 'internal' })
  for (let index = 0; index < 4_000; index++) {
    const span = start(undefined)
    expect(sampler(() => span.traceId, undefined)).toBe(span.sampled)
    span.end()
  }
  expect(spans.length).toBeGreaterThan(850)
  expect(spans.length).toBeLessThan(1_150)
})

test('a clock that is set back makes no negative durations', async () => {
  const { spans, telemetry, clock } = open()
  const span = telemetry.work({ name: 'x', kind: 'internal' })(undefined)
  clock.preciseMs = () => 0
  span.end()
  expect(spans[0]!.durationMs).toBe(0)
})

test('of more kinds of work than there should be the spans share one name', () => {
  const { spans, telemetry } = open()
  const work = namedWork(telemetry, (name: string) => ({ name: `handle ${name}`, kind: 'internal' }))
  for (let index = 0; index < 1_010; index++) work(`type-${index}`)(undefined).end()
  expect(new Set(spans.map(({ name }) => name)).size).toBe(1_001)
  expect(spans.at(-1)!.name).toBe('handle other')
})

test('where nothing is recorded contexts are passed on all the same', () => {
  const silent = silentTelemetry(seededRandom(1)).of('orders')
  const outer = silent.work({ name: 'x', kind: 'internal' })(undefined)
  const inner = silent.work({ name: 'y', kind: 'internal' })(outer)
  expect(parseTraceparent(formatTraceparent(inner))).toMatchObject({ traceId: outer.traceId, sampled: true })
})
