import { expect, test } from 'vitest'
import { Metrics } from './metrics.ts'
import { prometheusText } from './prometheus.ts'

test('metrics are written as Prometheus reads them, under the names that OpenTelemetry gives them there', async () => {
  const metrics = new Metrics()
  const duration = { name: 'rpc.server.call.duration', unit: 's', description: 'How long answering calls took.', bounds: [0.1, 1] }
  const histogram = metrics.histogram(duration, { 'rpc.method': 'orders.placeOrder', 'service.name': 'orders' })
  for (const seconds of [0.05, 0.1, 0.5, 7]) histogram.record(seconds)
  metrics.counter({ name: 'skerry.retries', unit: '{call}', description: 'Calls made\nagain.' }, { why: 'a "b" \\ c\nd' }).add(3)
  metrics.observe({ name: 'process.memory.usage', unit: 'By', description: 'Memory.' }, 'gauge', () => [{ labels: {}, value: 12.5 }])
  metrics.observe({ name: 'process.cpu.time', unit: 's', description: 'Time.' }, 'counter', () => [{ labels: {}, value: 2 }])
  metrics.observe({ name: 'gone', unit: '1', description: 'Cannot be read.' }, 'gauge', () => Promise.reject(new Error('no database')))
  metrics.observe({ name: 'nobody', unit: '1', description: 'Has no points.' }, 'gauge', () => [])
  expect(prometheusText(await metrics.snapshot())).toBe(`# HELP rpc_server_call_duration_seconds How long answering calls took.
# TYPE rpc_server_call_duration_seconds histogram
rpc_server_call_duration_seconds_bucket{rpc_method="orders.placeOrder",service_name="orders",le="0.1"} 2
rpc_server_call_duration_seconds_bucket{rpc_method="orders.placeOrder",service_name="orders",le="1"} 3
rpc_server_call_duration_seconds_bucket{rpc_method="orders.placeOrder",service_name="orders",le="+Inf"} 4
rpc_server_call_duration_seconds_sum{rpc_method="orders.placeOrder",service_name="orders"} 7.65
rpc_server_call_duration_seconds_count{rpc_method="orders.placeOrder",service_name="orders"} 4
# HELP skerry_retries_total Calls made\\nagain.
# TYPE skerry_retries_total counter
skerry_retries_total{why="a \\"b\\" \\\\ c\\nd"} 3
# HELP process_memory_usage_bytes Memory.
# TYPE process_memory_usage_bytes gauge
process_memory_usage_bytes 12.5
# HELP process_cpu_time_seconds_total Time.
# TYPE process_cpu_time_seconds_total counter
process_cpu_time_seconds_total 2
`)
})

test('the same name and labels are one series, in whatever order', async () => {
  const metrics = new Metrics()
  const definition = { name: 'calls', unit: '{call}', description: 'Calls.' }
  metrics.counter(definition, { a: 1, b: 2 }).add()
  metrics.counter(definition, { b: 2, a: 1 }).add()
  expect(await metrics.snapshot()).toMatchObject([{ points: [{ labels: { a: 1, b: 2 }, value: 2 }] }])
})

test('what comes on top of two thousand series of a metric is counted together', async () => {
  const metrics = new Metrics()
  const definition = { name: 'calls', unit: '{call}', description: 'Calls.' }
  for (let index = 0; index < 2_500; index++) metrics.counter(definition, { index }).add()
  const [calls] = await metrics.snapshot()
  expect(calls!.points.length).toBe(2_001)
  expect(calls!.points.at(-1)).toEqual({ labels: { 'otel.metric.overflow': true }, value: 500 })
})
