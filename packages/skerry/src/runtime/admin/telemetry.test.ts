import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import { systemRandom } from '../../base/random.ts'
import { expectValid } from '../../contract/fixtures/openapi-document.ts'
import type { OpenApiDocument } from '../../contract/openapi.ts'
import { gateway } from '../../gateway/gateway.ts'
import type { RecentBounds } from '../../recent/bounds.ts'
import { openRecent } from '../../recent/recent.ts'
import { createLog } from '../../telemetry/log.ts'
import { createTelemetry } from '../../telemetry/telemetry.ts'
import { fake } from '../../testing/fake.ts'
import { noteServiceThat, orderServiceImplementation, users } from '../../testing/fixtures/small-shop.ts'
import { testDatabaseEngine } from '../../testing/test-databases.ts'
import { readConfiguration } from '../configuration.ts'
import { startHost } from '../host.ts'
import { select, system } from '../system.ts'
import { remoteAdmin } from './client.ts'

const ann = fake(users, { getUser: async ({ id }) => ({ id, name: 'Ann' }) })

/** A small shop whose host keeps what is recent, as the command starts it. */
async function scene({ bounds = {}, keep = true }: { bounds?: Partial<RecentBounds>; keep?: boolean } = {}) {
  const clock = systemClock
  const definition = system('test', { services: [orderServiceImplementation, noteServiceThat(() => {}), ann], gateway: gateway() })
  const selection = select(definition, [])
  const recent = openRecent({
    place: 'memory',
    clock,
    process: 'test',
    bounds: { sampleMs: 50, ...bounds },
    onTrouble: (error) => {
      throw error
    },
  })
  const log = createLog({ destination: { write: () => {} }, onLine: recent.onLine })
  const host = await startHost({
    system: definition,
    selection,
    configuration: await readConfiguration(definition, selection, { PORT: '0', ADMIN_PORT: '0', SKERRY_DATA: 'memory' }),
    engines: { database: testDatabaseEngine, broker: () => Promise.reject(new Error('there is none')) },
    clock,
    telemetry: createTelemetry({ clock, random: systemRandom, onSpan: recent.onSpan }),
    recent: keep ? recent : undefined,
    log,
  })
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> => (stopped ??= host.stop().then(() => recent.close()))
  onTestFinished(stop)
  const client = remoteAdmin(host.adminUrl!)
  onTestFinished(async () => client[Symbol.asyncDispose]())
  const place = async (id: number, product = 'kettle') => {
    const answer = await fetch(`${host.gatewayUrl!}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id, userId: 1, product }),
    })
    return answer.status
  }
  return { host, log, recent, stop, call: client.call, url: host.adminUrl!, place }
}

type Scene = Awaited<ReturnType<typeof scene>>

/** When the note that follows an order has been taken, its trace is whole. */
async function noted({ call }: Scene, orders: number) {
  await expect.poll(async () => (await call.listTraces({ operation: 'handle orders.orderPlaced.v1' })).traces.length).toBe(orders)
}

/** A stream of server-sent events, read line by line as far as it is asked for. */
async function live(url: string, headers: Record<string, string> = {}) {
  const [answer] = (await once(request(url, { headers }).end(), 'response')) as [IncomingMessage]
  const parts = answer.setEncoding('utf8')[Symbol.asyncIterator]()
  let text = ''
  onTestFinished(() => void answer.destroy())
  return {
    answer,
    /** The next message: its fields, by name. */
    async next(): Promise<Record<string, string>> {
      while (!text.includes('\n\n')) {
        const { done, value } = (await parts.next()) as IteratorResult<string>
        if (done === true) return { end: 'of the stream' }
        text += value
      }
      const end = text.indexOf('\n\n')
      const lines = text.slice(0, end).split('\n')
      text = text.slice(end + 2)
      return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]))
    },
    close: () => answer.destroy(),
  }
}

test('a request is found as a trace, and shown from the gateway to whoever is told of it', async () => {
  const shop = await scene()
  expect([await shop.place(1), await shop.place(1)]).toEqual([200, 409])
  await noted(shop, 1)
  const { traces } = await shop.call.listTraces({ operation: 'POST /orders', status: 'ok' })
  expect(traces).toMatchObject([
    { service: 'gateway', name: 'POST /orders', failures: 0, services: expect.arrayContaining(['gateway', 'orders', 'notes']) },
  ])
  const { spans } = await shop.call.showTrace({ traceId: traces[0]!.traceId.slice(0, 12) })
  const tree = spans.map(({ depth, span }) => `${'  '.repeat(depth)}${span.service}: ${span.name}`)
  expect(tree.slice(0, 6)).toEqual([
    'gateway: POST /orders',
    '  gateway: orders.placeOrder',
    '    orders: orders.placeOrder',
    '      orders: users.getUser',
    '        users: users.getUser',
    '      orders: transaction',
  ])
  expect(tree).toContainEqual(expect.stringMatching(/^ {10}notes: deliver orders\.orderPlaced\.v1$/))
  const failed = await shop.call.listTraces({
    status: 'failed',
    attribute: 'error.type=duplicateOrder',
    minDurationMs: 0,
    text: 'Order exists',
  })
  expect(failed.traces).toMatchObject([{ name: 'POST /orders' }])
  expect((await shop.call.listTraces({ service: 'nobody' })).traces).toEqual([])
})

test('what is not there, or cannot be meant, is said in Problem Details; the API describes itself', async () => {
  const shop = await scene()
  const document = (await (await fetch(`${shop.url}/openapi.json`)).json()) as OpenApiDocument
  await expectValid(document)
  expect(Object.keys(document['paths'] as object)).toContain('/telemetry/traces/{traceId}')
  for (const traceId of ['abcdabcd1', 'abcdabcd2']) shop.recent.onSpan({ ...(await aSpan(shop)), traceId })
  for (const [path, status, code] of [
    ['/telemetry/traces/0af7651916cd43dd', 404, 'traceNotFound'],
    ['/telemetry/traces/abcdabcd', 409, 'traceAmbiguous'],
    ['/telemetry/traces?status=middling', 422, 'invalidInput'],
    ['/telemetry/traces?since=yesterday', 422, 'invalidInput'],
    ['/telemetry/logs?level=loud', 422, 'invalidInput'],
    ['/telemetry/metrics/none', 404, 'metricNotFound'],
    ['/telemetry/live/logs?level=loud', 422, 'invalidInput'],
    ['/telemetry/live/spans?after=then', 422, 'invalidInput'],
  ] as const) {
    const answer = await fetch(`${shop.url}${path}`, { headers: { origin: 'https://elsewhere.example' } })
    expect([path, answer.status, await answer.json()]).toMatchObject([path, status, { code }])
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
  }
  const none = await scene({ keep: false })
  const answer = await fetch(`${none.url}/telemetry`)
  expect([answer.status, await answer.json()]).toMatchObject([404, { code: 'telemetryOff' }])
  expect((await fetch(`${none.url}/telemetry/live/spans`)).status).toBe(404)
})

async function aSpan(shop: Scene) {
  const { id: _id, ...span } = shop.recent.read.spansAfter(0, 1)[0] ?? (await shop.place(99), shop.recent.read.spansAfter(0, 1)[0]!)
  return span
}

test('lines of the log are paged both ways, and those of one request are found by its trace', async () => {
  const shop = await scene()
  for (let number = 1; number <= 5; number++) shop.log.info(`line ${number}`, { number })
  shop.log.warn('told off', { service: 'orders' })
  const first = await shop.call.listLogLines({ limit: 2 })
  expect(first.lines).toMatchObject([
    { message: 'line 5', level: 'info', service: null, fields: { number: 5 } },
    { message: 'told off', level: 'warn', service: 'orders' },
  ])
  const older = await shop.call.listLogLines({ limit: 2, before: first.older! })
  expect(older.lines.map(({ message }) => message)).toEqual(['line 3', 'line 4'])
  expect((await shop.call.listLogLines({ after: first.newer })).lines).toEqual([])
  shop.log.info('line 6')
  const newer = await shop.call.listLogLines({ after: first.newer })
  expect(newer.lines.map(({ message }) => message)).toEqual(['line 6'])
  expect((await shop.call.listLogLines({ level: 'warn' })).lines.map(({ message }) => message)).toEqual(['told off'])
  expect((await shop.call.listLogLines({ text: 'LINE 6', service: 'orders' })).lines).toEqual([])
})

test('metrics are told as they are, and how they were', async () => {
  const shop = await scene()
  await shop.place(1)
  const named = async (name: string) => (await shop.call.listMetrics({})).metrics.find((metric) => metric.name === name)
  await expect.poll(() => named('http.server.request.duration')).toMatchObject({ kind: 'histogram', unit: 's' })
  const { points } = (await named('http.server.request.duration'))!
  expect(points).toMatchObject([{ process: 'test', labels: { 'http.route': '/orders' }, count: 1 }])
  expect(points[0]!.buckets!.counts.reduce((sum, count) => sum + count)).toBe(1)
  await expect.poll(async () => (await shop.call.showMetric({ name: 'http.server.request.duration' })).points.length).toBeGreaterThan(2)
})

test('the map has what is declared and what was seen', async () => {
  const shop = await scene()
  await shop.place(1)
  await noted(shop, 1)
  const map = await shop.call.showMap({})
  expect(map.services.map(({ name, isObserved }) => [name, isObserved])).toEqual([
    ['gateway', true],
    ['orders', true],
    ['notes', true],
    ['users', true],
  ])
  expect(map.calls.map(({ from, to, isDeclared, observed }) => [from, to, isDeclared, observed?.count])).toEqual([
    ['gateway', 'orders', true, 1],
    ['gateway', 'notes', true, undefined],
    ['gateway', 'users', true, undefined],
    ['orders', 'users', true, 1],
    ['notes', 'orders', true, undefined],
  ])
  expect(map.events).toMatchObject(
    expect.arrayContaining([
      {
        from: 'orders',
        event: 'orders.orderPlaced.v1',
        to: 'notes',
        isDeclared: true,
        observed: expect.objectContaining({ count: 1, errorShare: 0 }),
      },
    ]),
  )
})

test('what is kept, and what was left out, is told', async () => {
  const shop = await scene({ bounds: { maxSpansPerSecond: 1 } })
  for (let id = 1; id <= 5; id++) await shop.place(id)
  const status = await shop.call.telemetryStatus()
  expect(status.spans).toMatchObject({ maxRows: 100_000, rows: expect.any(Number) })
  const [process] = status.processes
  expect(process).toMatchObject({ process: 'test', dropped: 0 })
  expect(process!.spansLeftOut).toBeGreaterThan(0)
  expect(process!.share).toBeLessThan(1)
})

test('spans come live, and whoever was cut off goes on where it was', async () => {
  const shop = await scene()
  await shop.place(1)
  await noted(shop, 1)
  const stream = await live(`${shop.url}/telemetry/live/spans?service=gateway`)
  expect(stream.answer.headers['content-type']).toBe('text/event-stream')
  expect(await stream.next()).toEqual({ retry: '1000' })
  await shop.place(2)
  const message = await stream.next()
  expect(JSON.parse(message['data']!)).toMatchObject({ service: 'gateway', name: 'orders.placeOrder', kind: 'client' })
  stream.close()
  await shop.place(3)
  const again = await live(`${shop.url}/telemetry/live/spans?service=gateway`, { 'last-event-id': message['id']! })
  await again.next()
  const names: string[] = []
  for (let count = 0; count < 3; count++) names.push((JSON.parse((await again.next())['data']!) as { name: string }).name)
  expect(names).toEqual(['POST /orders', 'orders.placeOrder', 'POST /orders'])
})

test('lines come live; what was let go of before it could be sent is told', async () => {
  const shop = await scene({ bounds: { logs: { maxRows: 3, maxBytes: 1e9, maxAgeMs: 1e9 } } })
  shop.log.info('first')
  await shop.call.listLogLines({})
  for (let number = 0; number < 10; number++) shop.log.info('many', { number })
  await expect.poll(() => (shop.log.info('more'), shop.recent.read.ends('line').first), { timeout: 20_000 }).toBeGreaterThan(3)
  const stream = await live(`${shop.url}/telemetry/live/logs?level=warn`, { 'last-event-id': '1' })
  expect(await stream.next()).toEqual({ retry: '1000' })
  expect(await stream.next()).toMatchObject({ event: 'gap', data: expect.stringMatching(/^\{"after":1,"first":\d+\}$/) })
  shop.log.warn('at last')
  expect(JSON.parse((await stream.next())['data']!)).toMatchObject({ level: 'warn', message: 'at last' })
})

test('a host that stops ends its streams at once', async () => {
  const shop = await scene()
  const stream = await live(`${shop.url}/telemetry/live/logs`)
  await stream.next()
  await shop.stop()
  expect(await stream.next()).toEqual({ end: 'of the stream' })
})

test('so many streams and no more', async () => {
  const shop = await scene()
  const streams = await Promise.all(Array.from({ length: 32 }, () => live(`${shop.url}/telemetry/live/logs`)))
  for (const stream of streams) await stream.next()
  expect((await fetch(`${shop.url}/telemetry/live/logs`)).status).toBe(503)
  streams[0]!.close()
  await expect.poll(async () => (await live(`${shop.url}/telemetry/live/logs`)).answer.statusCode).toBe(200)
})
