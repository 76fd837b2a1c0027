/** What of a client's headers reaches a service, and what of broken or crafted requests reaches anything at all. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { echo, ForeignService, respond } from './foreign-service.ts'
import type { GatewayUnderTest } from './gateways.ts'
import { gatewayKinds } from './gateways.ts'
import { send, sendRaw } from './http-request.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const traceparent = `00-${traceId}-b7ad6b7169203331-01`
const aTraceparent = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]$/

describe.each(gatewayKinds)('headers: $name', ({ start, isNginx }) => {
  let foreign: ForeignService
  let gateway: GatewayUnderTest

  beforeAll(async () => {
    foreign = await ForeignService.start()
    gateway = await start({ foreign: foreign.address })
  })
  beforeEach(() => {
    foreign.behave = echo
  })
  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]()
    await foreign?.[Symbol.asyncDispose]()
  })

  test('a deadline from outside is replaced by that of the operation', async () => {
    const lies = { 'grpc-timeout': '1H', 'x-envoy-expected-rq-timeout-ms': '3600000', 'x-envoy-upstream-rq-timeout-ms': '3600000' }
    await send(gateway.url, 'GET', '/foreign/report', { headers: lies })
    const { 'grpc-timeout': grpc, 'x-envoy-expected-rq-timeout-ms': envoy, 'x-envoy-upstream-rq-timeout-ms': other } = foreign.last.headers
    const remainingMs = Number(/^(\d+)m$/.exec(grpc ?? '')?.[1])
    // The operation has 2 s, of which 5 ms are for the way back.
    expect(remainingMs).toBeGreaterThan(0)
    expect(remainingMs).toBeLessThanOrEqual(1_995)
    expect([envoy, other]).toEqual([String(remainingMs), undefined])
  })

  test('only the gateway says who the client is', async () => {
    const lies = {
      'x-forwarded-for': '203.0.113.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'bank.example',
      'x-forwarded-port': '443',
      'x-forwarded-prefix': '/admin',
      'x-real-ip': '203.0.113.9',
      forwarded: 'for=203.0.113.9',
      'x-original-url': '/things/1/audit',
      'x-rewrite-url': '/things/1/audit',
      'x-http-method-override': 'DELETE',
      'x-internal-user': 'root',
      'x-skerry-caller': 'orders',
      x_forwarded_for: '203.0.113.9',
      cookie: 'session=1',
      authorization: 'Bearer x',
      te: 'trailers',
      via: '1.1 liar',
      host: 'bank.example',
    }
    await send(gateway.url, 'GET', '/foreign/report', { headers: lies })
    const { headers } = foreign.last
    const allowed = ['accept', 'connection', 'host', 'traceparent', 'grpc-timeout', 'x-envoy-expected-rq-timeout-ms']
    const forwarded = isNginx ? ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'] : []
    expect(Object.keys(headers).filter((name) => ![...allowed, ...forwarded].includes(name))).toEqual([])
    if (isNginx)
      expect(headers).toMatchObject({ 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http', 'x-forwarded-host': 'bank.example' })
    expect(headers['host']).not.toBe('bank.example')
  })

  test('headers that the client names in Connection change nothing', async () => {
    await send(gateway.url, 'POST', '/foreign/submit', {
      body: { text: 'x' },
      headers: { connection: 'close, traceparent, content-type, idempotency-key', 'idempotency-key': 'k', traceparent },
    })
    const { headers, body } = foreign.last
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'idempotency-key': 'k',
      traceparent: expect.stringContaining(traceId),
    })
    expect(headers['connection']).not.toBe('close')
    expect(body).toBe('{"text":"x"}')
  })

  test('who calls is passed on as the client says it, or not at all', async () => {
    const userAgent = 'App/1.0 (caf\u00e9; "quoted" \\) Kit/2'
    await send(gateway.url, 'GET', '/foreign/report', { headers: { 'user-agent': userAgent } })
    expect(foreign.last.headers['user-agent']).toBe(userAgent)
    await send(gateway.url, 'POST', '/foreign/submit', { body: { text: 'x' }, headers: { 'user-agent': 'curl/8.5.0' } })
    expect(foreign.last.headers['user-agent']).toBe('curl/8.5.0')
    await send(gateway.url, 'GET', '/foreign/report')
    expect(foreign.last.headers).not.toHaveProperty('user-agent')
  })

  test('a trace goes on', async () => {
    await send(gateway.url, 'GET', '/foreign/report', { headers: { traceparent } })
    expect(foreign.last.headers['traceparent']).toMatch(aTraceparent)
    expect(foreign.last.headers['traceparent']).toContain(traceId)
    await send(gateway.url, 'GET', '/foreign/report', { headers: { traceparent: traceparent.replace(/01$/, '00') } })
    expect(foreign.last.headers['traceparent']).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`))
    await send(gateway.url, 'GET', '/foreign/report', { headers: { traceparent: `cc${traceparent.slice(2)}-what-the-future-brings` } })
    expect(foreign.last.headers['traceparent']).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`))
  })

  test.each([
    undefined,
    '',
    'x',
    traceparent.toUpperCase(),
    traceparent.slice(0, -1),
    `${traceparent}-more`,
    `ff${traceparent.slice(2)}`,
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `${traceparent}, ${traceparent}`,
  ])('a new trace begins for traceparent %s', async (given) => {
    await send(gateway.url, 'GET', '/foreign/report', given === undefined ? {} : { headers: { traceparent: given } })
    const first = foreign.last.headers['traceparent']
    await send(gateway.url, 'GET', '/foreign/report', given === undefined ? {} : { headers: { traceparent: given } })
    expect(first).toMatch(aTraceparent)
    expect(first).not.toContain(traceId)
    expect(foreign.last.headers['traceparent']).not.toBe(first)
  })

  test.each([
    ['a method in lower case', 'get /foreign/report HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a space in the path', 'GET /foreign/report x HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a control character in the path', 'GET /foreign/items/\x01 HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['an unknown version', 'GET /foreign/report HTTP/3.0\r\nHost: x\r\n\r\n'],
    ['no HTTP at all', 'hello\r\n\r\n'],
    ['the beginning of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
    ['a NUL in a header', 'GET /foreign/report HTTP/1.1\r\nHost: x\r\nX-A: \x00\r\n\r\n'],
    ['a space before the colon', 'POST /foreign/submit HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n'],
    ['two lengths', 'POST /foreign/submit HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} '],
    ['a length and chunks', 'POST /foreign/submit HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a length that is no number', 'POST /foreign/submit HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\n{}'],
    ['a length too long to be one', `POST /foreign/submit HTTP/1.1\r\nHost: x\r\nContent-Length: ${'9'.repeat(30)}\r\n\r\n{}`],
    ['an unknown transfer coding', 'POST /foreign/submit HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: rot13\r\n\r\n{}'],
    [
      'chunks that are none',
      'POST /foreign/submit HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n',
    ],
  ])('%s is malformed', async (_what, bytes) => {
    const before = foreign.received.length
    const answer = await sendRaw(gateway.url, bytes)
    expect(answer.status).toBe(400)
    expect(answer.headers['content-type']).toBe('application/problem+json')
    expect(answer.json).toMatchObject({
      type: 'urn:problem:skerry:malformedRequest',
      title: 'Malformed request',
      status: 400,
      code: 'malformedRequest',
    })
    expect(foreign.received).toHaveLength(before)
  })

  test.each([
    ['behind a length that disagrees with chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['behind a second length', 'Content-Length: 0\r\nContent-Length: 2\r\n\r\n{}'],
    ['behind chunks that another reader would not see', 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'],
    ['behind a folded header', 'Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n'],
    ['behind a bare carriage return', 'X-A: b\rTransfer-Encoding: chunked\r\n\r\n'],
    ['in an ignored body', 'Content-Length: 60\r\nTransfer-Encoding: identity\r\n\r\n'],
  ])('no request is smuggled %s', async (_where, rest) => {
    await sendRaw(
      gateway.url,
      `POST /foreign/submit HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${rest}GET /foreign/items/smuggled HTTP/1.1\r\nHost: x\r\n\r\n`,
    ).catch(() => undefined)
    await send(gateway.url, 'GET', '/foreign/report')
    expect(foreign.received.filter(({ target, body }) => target.includes('smuggled') || body.includes('smuggled'))).toEqual([])
  })

  test('line breaks in a path or query stay encoded', async () => {
    await send(gateway.url, 'GET', '/foreign/items/a%0d%0aX-Injected:%20yes?b=%0d%0aX-Injected:%20yes').catch(() => undefined)
    expect(foreign.received.every(({ headers }) => !('x-injected' in headers))).toBe(true)
  })

  test('large headers pass, too large ones are refused, and nobody suffers from them', async () => {
    expect((await send(gateway.url, 'GET', '/foreign/report', { headers: { cookie: 'c'.repeat(6_000) } })).status).toBe(200)
    const refused = [
      await send(gateway.url, 'GET', '/foreign/report', { headers: { cookie: 'c'.repeat(20_000) } }),
      await send(gateway.url, 'GET', '/foreign/report', {
        headers: Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`x-${index}`, 'c'.repeat(200)])),
      }),
      await send(gateway.url, 'GET', `/foreign/items/${'i'.repeat(20_000)}`),
      await send(gateway.url, 'POST', '/foreign/submit', { body: { text: 'x' }, headers: { 'idempotency-key': 'k'.repeat(20_000) } }),
    ]
    for (const { status, json } of refused)
      expect([status, json]).toMatchObject([400, { code: 'malformedRequest', detail: 'The headers are too large' }])
    expect((await send(gateway.url, 'GET', '/foreign/report')).status).toBe(200)
  })

  test('as many headers as the gateway takes, a service takes too', async () => {
    // Just below the limit, in the three places that are passed on.
    const key = 'k'.repeat(4_000)
    const answer = await send(gateway.url, 'GET', `/foreign/items/${'i'.repeat(4_000)}?${'q'.repeat(1_000)}`, {
      headers: { 'idempotency-key': key, 'content-type': 't'.repeat(3_000) },
    })
    expect(answer.status).toBe(200)
    expect(foreign.last.headers['idempotency-key']).toBe(key)
  })

  test.runIf(isNginx)('a service cannot make nginx do something else', async () => {
    foreign.behave = respond(
      200,
      { 'x-accel-redirect': '/@skerry/openapi', 'x-accel-limit-rate': '1', 'content-type': 'application/json' },
      '{"mine":true}',
    )
    const answer = await send(gateway.url, 'GET', '/foreign/report')
    expect([answer.status, answer.json]).toEqual([200, { mine: true }])
  })
})
