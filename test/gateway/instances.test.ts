/** Several instances of a service behind nginx: they share the load, stand in for one another, come and go. (The embedded gateway knows one address for each service.) */
import { readFile } from 'node:fs/promises'
import { expect, onTestFinished, test } from 'vitest'
import { freePort } from '../services/free-port.ts'
import { waitUntil } from '../services/wait-until.ts'
import { DnsServer } from './dns-server.ts'
import { ForeignService, hangUp, silent } from './foreign-service.ts'
import type { NginxGateway, Upstreams } from './gateways.ts'
import { startNginxGateway } from './gateways.ts'
import { send } from './http-request.ts'
import { ThingInstance } from './thing-instance.ts'

const nobody = '127.0.0.1:1'

function keep<T extends AsyncDisposable>(resource: T): T {
  onTestFinished(() => resource[Symbol.asyncDispose]())
  return resource
}

async function inFrontOf(upstreams: Partial<Upstreams>, dns?: DnsServer): Promise<NginxGateway> {
  return keep(await startNginxGateway({ things: [nobody], foreign: [nobody], ...upstreams }, dns))
}

/** Who answered how often. */
async function census(url: string, requests: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (let request = 0; request < requests; request++) {
    const answer = await send(url, 'GET', '/things/1')
    const who = answer.status === 200 ? (answer.json as { instance: string }).instance : String(answer.status)
    counts[who] = (counts[who] ?? 0) + 1
  }
  return counts
}

test('two instances share the load', async () => {
  const [one, two] = [keep(await ThingInstance.start('one')), keep(await ThingInstance.start('two'))]
  const gateway = await inFrontOf({ things: [one.address, two.address] })
  const counts = await census(gateway.url, 40)
  expect((counts['one'] ?? 0) + (counts['two'] ?? 0)).toBe(40)
  expect(Math.min(counts['one'] ?? 0, counts['two'] ?? 0)).toBeGreaterThan(5)
})

test('one of two instances dies and nobody notices; it comes back and takes its share', async () => {
  const [one, two] = [keep(await ThingInstance.start('one')), keep(await ThingInstance.start('two'))]
  const gateway = await inFrontOf({ things: [one.address, two.address] })
  await one.stop()
  expect(await census(gateway.url, 30)).toEqual({ two: 30 })
  // What could not be delivered at all may go to the other, whatever it is.
  for (let request = 0; request < 10; request++)
    expect((await send(gateway.url, 'POST', '/things', { body: { id: '1', name: 'a' } })).status).toBe(201)
  await one.start()
  await waitUntil('the first instance answers again', 25_000, async () => ((await census(gateway.url, 1))['one'] === 1 ? true : undefined))
})

test('idle connections to a service are used again', async () => {
  const foreign = keep(await ForeignService.start())
  const gateway = await inFrontOf({ foreign: [foreign.address] })
  for (let request = 0; request < 20; request++) expect((await send(gateway.url, 'GET', '/foreign/report')).status).toBe(200)
  // Each worker process keeps its own.
  expect(foreign.connections).toBeLessThan(10)
})

test.each([
  ['GET', '/foreign/report', 2],
  ['POST', '/foreign/submit-once', 2],
  ['POST', '/foreign/submit', 1],
] as const)('%s %s is seen by %i of two instances that break off', async (method, path, times) => {
  const [one, two] = [keep(await ForeignService.start()), keep(await ForeignService.start())]
  one.behave = two.behave = hangUp
  const gateway = await inFrontOf({ foreign: [one.address, two.address] })
  const answer = await send(gateway.url, method, path, method === 'GET' ? {} : { body: { text: 'x' } })
  expect([answer.status, answer.headers['retry-after']]).toEqual([503, '1'])
  expect(one.received.length + two.received.length).toBe(times)
})

test('a change that one instance has taken and not answered is not given to another', async () => {
  const [slow, quick] = [keep(await ForeignService.start()), keep(await ForeignService.start())]
  slow.behave = silent
  const gateway = await inFrontOf({ foreign: [slow.address, quick.address] })
  const answers = await Promise.all(
    [1, 2, 3, 4].map((text) => send(gateway.url, 'POST', '/foreign/submit', { body: { text: String(text) } })),
  )
  const texts = [...slow.received, ...quick.received].map(({ body }) => body)
  expect(new Set(texts).size).toBe(texts.length)
  expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
    ...quick.received.map(() => 200),
    ...slow.received.map(() => 504),
  ])
  expect(slow.received.length).toBeGreaterThan(0)
})

test('instances come and go with reloads, and no request fails', async () => {
  const one = keep(await ThingInstance.start('one'))
  const gateway = await inFrontOf({ things: [one.address] })
  let answered = 0
  const over = new AbortController()
  const failures: unknown[] = []
  const client = async (method: 'GET' | 'POST'): Promise<void> => {
    while (!over.signal.aborted) {
      const answer = await send(
        gateway.url,
        method,
        method === 'GET' ? '/things/1' : '/things',
        method === 'GET' ? {} : { body: { id: '1', name: 'a' } },
      ).catch((error: unknown) => error)
      const status = answer instanceof Error ? answer : (answer as { status: number }).status
      if (status !== (method === 'GET' ? 200 : 201)) failures.push(status)
      answered++
    }
  }
  const clients = Promise.all([client('GET'), client('GET'), client('POST'), client('POST')])
  const more = async (): Promise<void> => {
    const goal = answered + 50
    await waitUntil('more requests have been answered', 20_000, async () => answered >= goal || undefined)
  }
  try {
    await more()
    const two = keep(await ThingInstance.start('two'))
    await gateway.reload({ things: [one.address, two.address], foreign: [nobody] })
    await waitUntil('the new instance answers', 20_000, async () => ((await census(gateway.url, 1))['two'] === 1 ? true : undefined))
    await more()
    await gateway.reload({ things: [two.address], foreign: [nobody] })
    await one.stop()
    await more()
  } finally {
    over.abort()
    await clients
  }
  expect(failures).toEqual([])
  expect(await census(gateway.url, 10)).toEqual({ two: 10 })
})

test('a name is asked again: a service that moves is found at its new address', async () => {
  const dns = keep(await DnsServer.start())
  const port = await freePort()
  const one = keep(await ThingInstance.start('one', { host: '127.0.0.2', port }))
  const two = keep(await ThingInstance.start('two', { host: '127.0.0.3', port }))
  dns.names.set('things.test', ['127.0.0.2'])
  const gateway = await inFrontOf({ things: [`things.test:${port}`] }, dns)
  expect(await census(gateway.url, 5)).toEqual({ one: 5 })
  dns.names.set('things.test', ['127.0.0.3'])
  await one.stop()
  // Each worker process believes what it has been told for a second.
  await waitUntil('nginx has asked again', 20_000, async () => ((await census(gateway.url, 5))['two'] === 5 ? true : undefined))
  await two.stop()
  dns.names.delete('things.test')
  await waitUntil('the name is gone', 20_000, async () => ((await census(gateway.url, 1))['503'] === 1 ? true : undefined))
})

test('a name need not exist when nginx starts', async () => {
  const dns = keep(await DnsServer.start())
  const port = await freePort()
  const gateway = await inFrontOf({ things: [`things.test:${port}`] }, dns)
  expect(await census(gateway.url, 1)).toEqual({ 503: 1 })
  keep(await ThingInstance.start('late', { host: '127.0.0.2', port }))
  dns.names.set('things.test', ['127.0.0.2'])
  await waitUntil('the service is found', 20_000, async () => ((await census(gateway.url, 1))['late'] === 1 ? true : undefined))
})

test('all addresses of one name share the load and stand in for one another', async () => {
  const dns = keep(await DnsServer.start())
  const port = await freePort()
  const one = keep(await ThingInstance.start('one', { host: '127.0.0.2', port }))
  keep(await ThingInstance.start('two', { host: '127.0.0.3', port }))
  dns.names.set('things.test', ['127.0.0.2', '127.0.0.3'])
  const gateway = await inFrontOf({ things: [`things.test:${port}`] }, dns)
  const counts = await census(gateway.url, 40)
  expect(Math.min(counts['one'] ?? 0, counts['two'] ?? 0)).toBeGreaterThan(2)
  await one.stop()
  expect(await census(gateway.url, 20)).toEqual({ two: 20 })
})

test('each request is one line of JSON in the log, with its trace and without its query', async () => {
  const things = keep(await ThingInstance.start('one'))
  const gateway = await inFrontOf({ things: [things.address] })
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01`, 'user-agent': '"\\' }
  await send(gateway.url, 'GET', '/things/%22%5C?token=secret', { headers })
  await send(gateway.url, 'POST', '/foreign/submit', { body: { text: 'x' } })
  await send(gateway.url, 'DELETE', '/nothing')
  await send(gateway.url, 'GET', '/health')
  const lines = await waitUntil('the log has three lines', 10_000, async () => {
    const text = (await readFile(gateway.accessLog, 'utf8')).trim().split('\n')
    return text.length >= 3 ? text.map((line) => JSON.parse(line) as Record<string, unknown>) : undefined
  })
  // A line is written when its answer has been sent, so a later request may come first.
  const inOrder = ['/things/%22%5C', '/foreign/submit', '/nothing'].map((path) => lines.find((line) => line['path'] === path))
  expect(lines).toHaveLength(3)
  expect(inOrder).toMatchObject([
    {
      level: 'info',
      service: 'gateway',
      traceId,
      method: 'GET',
      path: '/things/%22%5C',
      operation: 'things.getThing',
      status: 200,
      upstream: things.address,
      upstreamStatus: '200',
    },
    {
      method: 'POST',
      path: '/foreign/submit',
      operation: 'foreign.submit',
      status: 503,
      upstream: nobody,
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
    },
    { method: 'DELETE', path: '/nothing', operation: '', status: 404 },
  ])
  expect(JSON.stringify(lines)).not.toContain('secret')
})
