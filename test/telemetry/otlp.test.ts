/** Each service in a process of its own, a broker between them, and one trace of it all at a collector. */
import { expect, onTestFinished, test } from 'vitest'
import { ecommerce, notificationSent } from '../topologies/ecommerce-suite.ts'
import { request } from '../topologies/request.ts'
import { startApart } from '../topologies/topology.ts'
import { startCollector } from './collector.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'

test('an order is one trace over four processes and RabbitMQ, exported over OTLP with metrics and logs', async () => {
  const collector = await startCollector()
  onTestFinished(async () => collector[Symbol.asyncDispose]())
  const running = await startApart({
    ...ecommerce,
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '200',
      OTEL_METRIC_EXPORT_INTERVAL: '1000',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    },
  })
  onTestFinished(async () => running[Symbol.asyncDispose]())
  await request('POST', `${running.gatewayUrl}/users`, { id: 1, name: 'Ann', email: 'ann@example.com' })
  const order = { id: 7, user_id: 1, product: 'kettle', amount: 20 }
  const headers = { 'content-type': 'application/json', b3: `${TRACE}-b7ad6b7169203331-1` }
  expect((await fetch(`${running.gatewayUrl}/orders`, { method: 'POST', headers, body: JSON.stringify(order) })).status).toBe(200)
  await notificationSent(running, 7)

  const edges = (): readonly string[] => {
    const spans = collector.spans.filter(({ traceId }) => traceId === TRACE)
    const byId = new Map(spans.map((span) => [span.spanId, span]))
    return spans.map(({ parentSpanId = '', service, name }) => {
      const parent = byId.get(parentSpanId)
      return parent === undefined ? `${parentSpanId} > ${service}: ${name}` : `${parent.service}: ${parent.name} > ${service}: ${name}`
    })
  }
  await expect
    .poll(edges)
    .toEqual(
      expect.arrayContaining([
        'b7ad6b7169203331 > gateway: POST /orders',
        'gateway: POST /orders > gateway: order-service.placeOrder',
        'gateway: order-service.placeOrder > order-service: order-service.placeOrder',
        'order-service: order-service.placeOrder > order-service: user-service.getUser',
        'order-service: user-service.getUser > user-service: user-service.getUser',
        'order-service: order-service.placeOrder > order-service: transaction',
        'order-service: transaction > order-service: emit order-service.orderPlaced.v1',
        'order-service: emit order-service.orderPlaced.v1 > order-service: publish order-service.orderPlaced.v1',
        'order-service: emit order-service.orderPlaced.v1 > notification-service: deliver order-service.orderPlaced.v1',
        'notification-service: transaction > notification-service: handle order-service.orderPlaced.v1',
      ]),
    )
  expect(new Set(collector.spans.map(({ namespace }) => namespace))).toEqual(new Set(['ecommerce']))
  await expect
    .poll(() =>
      collector.metrics.filter(({ name, unit }) => name === 'rpc.server.call.duration' && unit === 's').map(({ service }) => service),
    )
    .toEqual(expect.arrayContaining(['user-service', 'order-service']))
  await expect
    .poll(() => collector.logs.filter(({ traceId }) => traceId === TRACE).map(({ service, body }) => `${service}: ${body.stringValue}`))
    .toContain('notification-service: Mail, not sent because SMTP_URL is not set')
  // It was in the mail.
  expect(collector.raw.filter((text) => text.includes('ann@example.com'))).toEqual([])
  await running.stop()
  expect(edges().filter((edge) => /^[0-9a-f]{16} > (?!gateway: POST)/.test(edge))).toEqual([])
})

test('a collector that is away costs nothing but what was meant for it, and is complained about', async () => {
  const running = await startApart({
    ...ecommerce,
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_BSP_SCHEDULE_DELAY: '100', OTEL_EXPORTER_OTLP_TIMEOUT: '1000' },
  })
  onTestFinished(async () => running[Symbol.asyncDispose]())
  expect(await request('POST', `${running.gatewayUrl}/users`, { id: 1, name: 'Ann', email: 'ann@example.com' })).toMatchObject({
    status: 200,
  })
  await expect.poll(() => running.host('gateway').output()).toContain('Telemetry could not be exported')
  await running.stop()
})
