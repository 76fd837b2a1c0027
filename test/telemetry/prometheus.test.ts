/** A real Prometheus scrapes a real host, and knows of its calls, events, sagas, projections and of its process. */
import { expect, onTestFinished, test } from 'vitest'
import { startPrometheus } from '../services/prometheus.ts'
import { createSharedDatabase } from '../topologies/databases.ts'
import { startHost } from '../topologies/host.ts'
import { request } from '../topologies/request.ts'

test('Prometheus scrapes what a host does, how far it is behind, and how it is', async () => {
  const database = await createSharedDatabase()
  onTestFinished(async () => database[Symbol.asyncDispose]())
  const host = await startHost({ system: 'shop/system.ts', env: { ADMIN_PORT: '0', DATABASE_URL: database.url } })
  onTestFinished(async () => host[Symbol.asyncDispose]())
  const prometheus = await startPrometheus([new URL(host.adminUrl).host])
  onTestFinished(() => prometheus.close())

  for (let index = 0; index < 3; index++) await request('GET', `${host.gatewayUrl}/products`)
  await request('GET', `${host.gatewayUrl}/orders/999999`)
  await request('POST', `${host.gatewayUrl}/users`, { id: 1, name: 'Ann', email: 'ann@example.com' })
  const order = { user_id: 1, card: 'tok_ok', lines: [{ sku: 'mug', quantity: 1 }] }
  expect(await request('POST', `${host.gatewayUrl}/orders`, order)).toMatchObject({ status: 200 })

  const value = (promql: string) => expect.poll(async () => (await prometheus.query(promql)).map((one) => one.value))
  await value('up{job="skerry"}').toEqual([1])
  await value('http_server_request_duration_seconds_count{http_route="/products",service_name="gateway"}').toEqual([3])
  await value('rpc_server_call_duration_seconds_count{rpc_method="catalog.listProducts",service_name="catalog"}').toEqual([3])
  await value('rpc_client_call_duration_seconds_count{rpc_method="catalog.listProducts",service_name="gateway"}').toEqual([3])
  await value('rpc_server_call_duration_seconds_count{rpc_method="orders.getOrder",error_type="orderNotFound"}').toEqual([1])
  await value('histogram_quantile(0.99, sum by (le) (rpc_server_call_duration_seconds_bucket)) > 0').toHaveLength(1)
  await value(
    'messaging_process_duration_seconds_count{messaging_destination_name="orders.orderPlaced.v1",service_name="notifications"}',
  ).toEqual([1])
  await value('sum(skerry_outbox_size) == 0').toEqual([0])
  await value('skerry_projection_lag{service_name="recommendations",skerry_projection_status="live"}').not.toEqual([])
  await value('db_client_connection_max{service_name="orders"} > 0').toHaveLength(1)
  await value('nodejs_eventloop_delay_p99_seconds > 0').toHaveLength(1)
  await value('process_memory_usage_bytes > 50e6').toHaveLength(1)
  await value('rate(process_cpu_time_seconds_total[10s]) >= 0').toHaveLength(2)
})
