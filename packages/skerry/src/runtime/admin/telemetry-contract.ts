/** The operations of the admin API for recent telemetry: traces, the log, metrics, and the map of the system. */
import { get } from '../../contract/operation.ts'
import type { PlainSchema } from '../../contract/plain-schema.ts'
import { anything, choice, flag, list, nullable, number, object, optional, text, whole } from '../../contract/plain-schema.ts'
import { problem } from '../../contract/problem.ts'
import { PARTS } from '../../telemetry/part.ts'

const time = text({ format: 'date-time' })
const name = text({ maxLength: 1_000 })
const words = text({ maxLength: 200 })
const since = optional({ ...time, json: { ...time.json, description: 'Leaves out what began earlier' } })
const until = optional({ ...time, json: { ...time.json, description: 'Leaves out what began later' } })
export const LEVELS = ['debug', 'info', 'warn', 'error'] as const

const telemetryOff = problem(404, 'This host keeps no recent telemetry')
const traceNotFound = problem(404, 'There is no such trace, or not any more')
const traceAmbiguous = problem(409, 'Several traces begin with these digits')
const metricNotFound = problem(404, 'There is no such metric, or not any more')

const Trace = object({
  traceId: text(),
  service: text({ description: 'Whose work the first span is' }),
  name: text({ description: 'Of the first span' }),
  startedAt: time,
  durationMs: number('How long the first span took'),
  wholeMs: number('Until the last consequence of it had ended'),
  spans: whole(),
  failures: whole(),
  services: list(text()),
})

const Span = object({
  traceId: text(),
  spanId: text(),
  parentSpanId: nullable(text()),
  service: text(),
  name: text(),
  kind: choice(['internal', 'server', 'client', 'producer', 'consumer']),
  part: choice(PARTS),
  startedAt: time,
  startMs: number('The same in milliseconds since the epoch, with fractions'),
  durationMs: number(),
  failure: nullable(text()),
  attributes: anything('As OpenTelemetry names them'),
  events: list(object({ name: text(), atMs: number(), attributes: anything() })),
})

const Line = object({
  id: whole(),
  at: time,
  level: choice(LEVELS),
  service: nullable(text()),
  traceId: nullable(text()),
  spanId: nullable(text()),
  message: text(),
  fields: anything('All other fields of the line'),
})

const Metric = object({
  name: text(),
  kind: choice(['counter', 'gauge', 'histogram']),
  unit: text(),
  description: text(),
  points: list(
    object({
      process: text({ description: 'Each process counts for itself' }),
      labels: anything(),
      at: time,
      value: number('Of a histogram: the sum of what was recorded'),
      count: nullable(whole({ description: 'Of a histogram: how much was recorded' })),
      buckets: nullable(object({ bounds: list(number()), counts: list(whole()) })),
    }),
  ),
})

const quantity = {
  count: whole(),
  perMinute: number(),
  errorShare: number('From 0 to 1'),
  p50Ms: number(),
  p95Ms: number(),
}
const Observed = nullable(object(quantity))
const services = list(text())

const SystemMap = object({
  from: time,
  to: time,
  spans: whole({ description: 'From how many it was made: of the latest 20000 those that are not too old' }),
  services: list(object({ name: text(), isDeclared: flag(), isObserved: flag() })),
  calls: list(
    object({
      from: text(),
      to: text(),
      isDeclared: flag('One of them says that it uses the other'),
      observed: Observed,
      operations: list(object({ name: text(), ...quantity })),
    }),
  ),
  events: list(object({ from: text(), event: text(), to: text(), isDeclared: flag('It has a handler for it'), observed: Observed })),
  chatty: list(object({ from: text(), to: text(), calls: whole({ description: 'Within the one trace' }), traceId: text() })),
  cycles: list(object({ services, traceId: nullable(text({ description: 'In which it was gone round; null: not within one call' })) })),
  deep: list(object({ services, count: whole(), traceId: text() })),
})

const Kept = object({ rows: whole(), bytes: whole(), oldest: nullable(time), maxRows: whole(), maxBytes: whole(), maxAgeMs: whole() })

export const telemetryOperations = (maxPage: number) => ({
  telemetryStatus: get('/telemetry', {
    output: object({
      spans: Kept,
      logs: Kept,
      metrics: Kept,
      processes: list(
        object({
          process: text(),
          since: time,
          seen: time,
          spans: whole(),
          spansLeftOut: whole({ description: 'Because more came than may be written: whole traces, by their ids' }),
          share: number('Which share of traces is kept at present, from 0 to 1'),
          lines: whole(),
          linesLeftOut: whole(),
          dropped: whole({ description: 'Spans, lines and samples that could not be written' }),
        }),
      ),
    }),
    errors: { telemetryOff },
    summary: 'What is kept, from whom, and what was left out',
  }),
  listTraces: get('/telemetry/traces', {
    input: object({
      service: optional(name),
      operation: optional({ ...name, json: { ...name.json, description: 'An operation, the type of an event, or the name of a span' } }),
      status: optional(choice(['ok', 'failed'])),
      minDurationMs: optional(whole({ minimum: 0 })),
      attribute: optional(text({ maxLength: 1_000, description: 'Such as http.request.method=POST' })),
      text: optional(words),
      since,
      until,
      before: optional(whole({ minimum: 0, description: 'The `next` of the page before' })),
      limit: optional(whole({ minimum: 1, maximum: maxPage })),
    }),
    output: object({ traces: list(Trace), next: nullable(whole()) }),
    errors: { telemetryOff },
    summary: 'Traces of which one span matches all that is asked for, the latest first',
  }),
  showTrace: get('/telemetry/traces/{traceId}', {
    input: object({ traceId: text({ maxLength: 32, description: 'As many of its first digits as tell it from others' }) }),
    output: object({
      traceId: text(),
      spans: list(object({ depth: whole({ description: 'Below how many others it lies' }), span: Span })),
    }),
    errors: { telemetryOff, traceNotFound, traceAmbiguous },
    summary: 'One trace as a tree, written down from the top, up to 5000 spans',
  }),
  listLogLines: get('/telemetry/logs', {
    input: object({
      level: optional(choice(LEVELS)),
      service: optional(name),
      traceId: optional(text({ maxLength: 32 })),
      text: optional(words),
      since,
      until,
      before: optional(whole({ minimum: 0, description: 'The `older` of a page: what was written before it' })),
      after: optional(whole({ minimum: 0, description: 'The `newer` of a page: what was written after it' })),
      limit: optional(whole({ minimum: 1, maximum: maxPage })),
    }),
    output: object({
      lines: list(Line),
      older: nullable(whole({ description: 'Null when nothing is older' })),
      newer: whole(),
    }),
    errors: { telemetryOff },
    summary: 'Lines of the log, the last ones unless `after` is given, always in the order in which they were written',
  }),
  listMetrics: get('/telemetry/metrics', {
    input: object({}),
    output: object({ metrics: list(Metric) }),
    errors: { telemetryOff },
    summary: 'All metrics as they were when they were last looked at',
  }),
  showMetric: get('/telemetry/metrics/{name}', {
    input: object({ name, since }),
    output: Metric,
    errors: { telemetryOff, metricNotFound },
    summary: 'One metric over the last minutes',
  }),
  showMap: get('/telemetry/map', {
    input: object({ since }),
    output: SystemMap,
    errors: { telemetryOff },
    summary: 'Services, calls and events: what is declared against what was seen',
  }),
})

type ValueOf<S> = S extends PlainSchema<infer T> ? T : never
export type SpanView = ValueOf<typeof Span>
export type LineView = ValueOf<typeof Line>
export type MetricView = ValueOf<typeof Metric>
