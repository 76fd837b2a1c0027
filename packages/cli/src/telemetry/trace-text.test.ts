import { expect, test } from 'vitest'
import { durationText, traceTree } from './trace-text.ts'

type Span = Parameters<typeof traceTree>[0]['spans'][number]['span']

const BEGIN_MS = Date.UTC(2026, 0, 1)

const span = (fields: Partial<Span>): Span => ({
  traceId: 't',
  spanId: 's',
  parentSpanId: null,
  service: 'orders',
  name: 'work',
  kind: 'internal',
  part: 'other',
  startedAt: '2026-01-01T00:00:00.000Z',
  startMs: BEGIN_MS,
  durationMs: 100,
  failure: null,
  attributes: {},
  events: [],
  ...fields,
})

test('a tree shows what was done for whom, when, how long, again, and in vain, in 80 columns', () => {
  const retry = { name: 'retry', atMs: 0, attributes: { 'error.type': 'unavailable', 'skerry.retry.attempt': 2 } }
  const spans = [
    { depth: 0, span: span({ spanId: '1', service: 'gateway', name: 'POST /orders' }) },
    {
      depth: 1,
      span: span({ spanId: '2', parentSpanId: '1', name: 'users.getUser', startMs: BEGIN_MS + 50, durationMs: 50, events: [retry] }),
    },
    {
      depth: 2,
      span: span({
        spanId: '3',
        parentSpanId: '2',
        name: 'users.getUser',
        part: 'attempt',
        startMs: BEGIN_MS + 90,
        durationMs: 0.5,
        failure: 'gone \u001b[31m away',
      }),
    },
    { depth: 40, span: span({ spanId: '4', parentSpanId: '3', name: 'x'.repeat(100), durationMs: 3_600_000 / 36_000 }) },
  ]
  const text = traceTree({ traceId: 't', spans })
  expect(text).toBe(`trace t
2026-01-01T00:00:00.000Z, 100 ms, 4 spans of 2 services

gateway: POST /orders                          ██████████████████████     100 ms
  orders: users.getUser                                   ███████████    50.0 ms
      · retry error.type=unavailable skerry.retry.attempt=2
    ✗ ↻ users.getUser                                             ▏      0.50 ms
        gone \ufffd[31m away
                        xxxxxxxxxxxxxxxxxxxxx… ██████████████████████     100 ms`)
  expect(text.split('\n').every((line) => line.length <= 80)).toBe(true)
  expect(traceTree({ traceId: 't', spans: [{ depth: 0, span: span({ durationMs: 0 }) }] })).toContain('▏')
})

test.each([
  [0.004, '0.00 ms'],
  [0.5, '0.50 ms'],
  [99.94, '99.9 ms'],
  [250, '250 ms'],
  [1_500, '1.50 s'],
  [150_000, '2.5 min'],
])('%d ms are %s', (ms, text) => {
  expect(durationText(ms)).toBe(text)
})
