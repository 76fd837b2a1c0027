/**
 * Malformed and hostile HTTP against the e-commerce example in one process, through its gateway and at its services' own
 * ports. Every refusal is a problem, and what comes next on the same machine is served.
 *
 * Where each kind of bad input is proven:
 *
 * | Bad input                                                     | Proven in                                                      |
 * | ------------------------------------------------------------- | -------------------------------------------------------------- |
 * | malformed JSON, duplicate keys, nesting, prototypes in bodies | here; test/gateway/bodies; packages/skerry/src/base/json       |
 * | wrong types, giant numbers, empty bodies, bodies on GET       | here; generated.test.ts                                        |
 * | prototypes in queries and paths, absurd queries               | here; generated.test.ts; packages/skerry/src/contract          |
 * | unknown paths, methods, content types, expectations           | here; test/gateway/routing, bodies                             |
 * | bodies over the limit, announced and chunked, cut short       | here; test/gateway/bodies                                      |
 * | smuggling, header and path injection, slow headers            | here; test/gateway/headers                                     |
 * | Idempotency-Key abuse                                         | here; packages/skerry/src/service/idempotency-key              |
 * | NUL, surrogates, emoji; numbers beyond the column             | careless-service.test.ts                                       |
 * | answers that break the contract, handlers that throw          | careless-service.test.ts                                       |
 * | mistakes in contracts, services and systems, all at once      | declarations.test.ts; packages/skerry/src/contract/contract    |
 * | a migration that fails half way, one that was changed         | packages/cli/src/migrate                                       |
 * | several mistakes in the environment, a port in use            | packages/cli/src/start                                         |
 * | two hosts on one data directory, an unknown service name      | packages/cli/src/start                                         |
 * | a wrong database URL                                          | starting.test.ts; packages/cli/src/start                       |
 * | a broker that is down at start and comes up later             | starting.test.ts                                               |
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Answer } from '../gateway/http-request.ts'
import { send, sendRaw } from '../gateway/http-request.ts'
import type { RunningHost } from '../topologies/host.ts'
import { startHost } from '../topologies/host.ts'
import { exchange } from './exchange.ts'
import { flawIn } from './problem.ts'

const json = { 'content-type': 'application/json' }
const ann = { id: 1, name: 'Ann', email: 'ann@example.com' }
let host: RunningHost

beforeAll(async () => {
  const own = { USER_SERVICE_PORT: '0', ORDER_SERVICE_PORT: '0', NOTIFICATION_SERVICE_PORT: '0' }
  host = await startHost({ system: 'examples/ecommerce/system.ts', env: own })
  expect((await send(host.gatewayUrl, 'POST', '/users', { body: ann })).status).toBe(200)
})
afterAll(() => host?.[Symbol.asyncDispose]())

const doors = [
  ['the gateway', () => host.gatewayUrl],
  ['the service itself', () => host.serviceUrls['user-service']!],
] as const

describe.each(doors)('%s', (_door, url) => {
  const refusal = (answer: Answer, status: number, code: string): void => {
    expect(flawIn(answer)).toBeUndefined()
    expect([answer.status, (answer.json as { code: string }).code]).toEqual([status, code])
  }
  const isServed = async (): Promise<void> => {
    expect((await send(url(), 'GET', '/users/1')).json).toEqual(ann)
  }

  test.each([
    ['cut short', '{"id":2,"name":"A'],
    ['a lone brace', '}'],
    ['white space alone', ' \n\t '],
    ['a byte order mark before it', `\uFEFF${JSON.stringify(ann)}`],
    ['two values', '{}{}'],
    ['single quotes', `{'id':2}`],
    ['a comment', '{"id":2 /* two */}'],
    ['NaN', '{"id":NaN}'],
    ['a raw control character in text', '{"id":2,"name":"\u0001"}'],
    ['a key twice', '{"id":2,"id":3,"name":"Ann","email":"ann@example.com"}'],
    ['a key twice below', '{"id":2,"name":{"a":1,"a":2}}'],
    ['__proto__', '{"id":2,"name":"Ann","email":"ann@example.com","__proto__":{"polluted":true}}'],
    ['__proto__, escaped', '{"id":2,"name":"Ann","email":"ann@example.com","\\u005f_proto__":{"polluted":true}}'],
    ['constructor.prototype', '{"id":2,"name":"Ann","constructor":{"prototype":{"polluted":true}}}'],
    ['arrays nested deeply', `{"id":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
    ['objects nested deeply', `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`],
    ['arrays never closed', '['.repeat(500_000)],
  ])('JSON with %s is malformed', async (_what, body) => {
    refusal(await send(url(), 'POST', '/users', { body, headers: json }), 422, 'malformedJson')
    await isServed()
  })

  test.each([
    ['a continuation without a beginning', '\x80'],
    ['an overlong slash', '\xc0\xaf'],
    ['a surrogate', '\xed\xa0\x80'],
    ['beyond Unicode', '\xf5\x80\x80\x80'],
    ['a character cut short', '\xe2\x82'],
  ])('UTF-8 with %s is malformed', async (_what, bytes) => {
    const body = `{"id":2,"name":"${bytes}","email":"ann@example.com"}`
    const head = `POST /users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
    refusal(await sendRaw(url(), head + body), 422, 'malformedJson')
  })

  test.each([
    ['nothing', ''],
    ['null', 'null'],
    ['text', '"Ann"'],
    ['a number', '1'],
    ['true', 'true'],
    ['a list', '[]'],
    ['a list of one', `[${JSON.stringify(ann)}]`],
    ['an object with a length', '{"length":1,"0":{}}'],
    ['an id beyond all numbers', '{"id":1e400,"name":"Ann","email":"ann@example.com"}'],
    ['an id beyond exact numbers', '{"id":9007199254740993,"name":"Ann","email":"ann@example.com"}'],
    ['an id of a million digits less', `{"id":${'9'.repeat(100_000)},"name":"Ann","email":"ann@example.com"}`],
    ['a broken number', '{"id":1.5,"name":"Ann","email":"ann@example.com"}'],
    ['a number as text', '{"id":"2","name":"Ann","email":"ann@example.com"}'],
    ['an id in a list', '{"id":[2],"name":"Ann","email":"ann@example.com"}'],
    ['an operator for an id', '{"id":{"$gt":0},"name":"Ann","email":"ann@example.com"}'],
    ['NUL in a name', '{"id":2,"name":"A\\u0000","email":"ann@example.com"}'],
    ['half a surrogate pair in a name', '{"id":2,"name":"A\\ud800","email":"ann@example.com"}'],
    ['a line break in an address', '{"id":2,"name":"Ann","email":"ann@example.com\\r\\nBcc: bob@example.com"}'],
    ['a name of half a million letters', `{"id":2,"name":"${'n'.repeat(500_000)}","email":"ann@example.com"}`],
  ])('a body of %s does not fit', async (_what, body) => {
    refusal(await send(url(), 'POST', '/users', { body, headers: json }), 422, 'invalidInput')
    refusal(await send(url(), 'GET', '/users/2'), 404, 'userNotFound')
  })

  test('what the contract does not name is left out, whatever it is called', async () => {
    const more = '"toString":1,"hasOwnProperty":null,"constructor":"c","prototype":{},"toJSON":1,"then":2,"admin":true'
    const answer = await send(url(), 'POST', '/users', { body: `{"id":1,"name":"Ann","email":"ann@example.com",${more}}`, headers: json })
    expect([answer.status, answer.json]).toEqual([200, ann])
  })

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/json-seq',
    'text/json',
    '*/*',
    'application/json, text/plain',
    ';',
  ])('a body of type %s is not read', async (type) => {
    refusal(
      await send(url(), 'POST', '/users', { body: JSON.stringify(ann), headers: { 'content-type': type } }),
      415,
      'unsupportedMediaType',
    )
  })

  test.each([false, true])('a body over the limit is refused (chunked: %s)', async (chunked) => {
    const body = JSON.stringify({ ...ann, name: 'n'.repeat(1_048_576) })
    refusal(await send(url(), 'POST', '/users', { body, headers: json, chunked }), 413, 'bodyTooLarge')
    await isServed()
  })

  test.each([
    ['behind its length', 'Content-Length: 500\r\n\r\n{"id":3,'],
    ['within a chunk', 'Transfer-Encoding: chunked\r\n\r\nff\r\n{"id":3,'],
    ['before the last chunk', 'Transfer-Encoding: chunked\r\n\r\n8\r\n{"id":3,\r\n'],
  ])('a body that ends %s changes nothing', async (_where, rest) => {
    const head = 'POST /users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
    const answers = await exchange(url(), head + rest, { end: true })
    expect(answers.map(({ status }) => status)).toEqual(answers.length === 0 ? [] : [400])
    refusal(await send(url(), 'GET', '/users/3'), 404, 'userNotFound')
  })

  test('a client that goes away in the middle of its headers harms nobody', async () => {
    expect(await exchange(url(), 'GET /users/1 HTTP/1.1\r\nHos', { end: true })).toMatchObject([{ status: 400 }])
    await isServed()
  })

  test.each([
    ['/user', 404, 'notFound'],
    ['/users/1/2', 404, 'notFound'],
    ['/users1', 404, 'notFound'],
    ['/USERS/1', 404, 'notFound'],
    ['/__proto__', 404, 'notFound'],
    ['/constructor', 404, 'notFound'],
    ['/toString', 404, 'notFound'],
    ['/users/__proto__', 422, 'invalidInput'],
    ['/users/constructor', 422, 'invalidInput'],
    ['/users/1;v=2', 422, 'invalidInput'],
    ['/users/1%20or%201=1', 422, 'invalidInput'],
    [`/users/1'--`, 422, 'invalidInput'],
    ['/users/1e0', 422, 'invalidInput'],
    ['/users/0x1', 422, 'invalidInput'],
    ['/users/%2B1', 422, 'invalidInput'],
    ['/users/9007199254740993', 422, 'invalidInput'],
    [`/users/${'9'.repeat(5_000)}`, 422, 'invalidInput'],
    ['/users/..%2f..%2fhealth', 422, 'invalidInput'],
    ['/users/%2e%2e', 422, 'invalidInput'],
    ['/users/1%00', 400, 'malformedRequest'],
    ['/users/1%0d%0aSet-Cookie:%20a=b', 400, 'malformedRequest'],
    ['/users/%ff', 400, 'malformedRequest'],
    ['/users/%', 400, 'malformedRequest'],
    ['/users/%u0031', 400, 'malformedRequest'],
    ['/users/%c0%ae%c0%ae', 400, 'malformedRequest'],
    ['/users/%ed%a0%80', 400, 'malformedRequest'],
  ])('GET %s is %s %s', async (path, status, code) => {
    const answer = await send(url(), 'GET', path)
    refusal(answer, status, code)
    expect(answer.headers['set-cookie']).toBeUndefined()
  })

  test.each(['..', '.', '1/../1', '1/..', '%2e%2e/users/1', '/1', '\\1'])('nobody walks about in paths: /users/%s', async (path) => {
    const answer = await send(url(), 'GET', `/users/${path}`)
    expect(flawIn(answer)).toBeUndefined()
    expect([404, 422]).toContain(answer.status)
  })

  test.each(['PUT', 'PATCH', 'DELETE', 'POST', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY'])('%s where only GET is offered', async (method) => {
    const answer = await send(url(), method, '/users/1')
    refusal(answer, 405, 'methodNotAllowed')
    expect(answer.headers['allow']).toBe('GET, HEAD')
    await isServed()
  })

  test.each([
    ['a tunnel', 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n'],
    ['HTTP/2 without asking', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a path for a proxy of another kind', 'GET ftp://x/users/1 HTTP/1.1\r\nHost: x\r\n\r\n'],
  ])('%s is not to be had', async (_what, bytes) => {
    const answers = await exchange(url(), bytes, { end: true })
    for (const answer of answers) expect([400, 404, 405]).toContain(answer.status)
    await isServed()
  })

  test.each([
    ['without a Host', 400, 'malformedRequest', 'GET /users/1 HTTP/1.1\r\nConnection: close\r\n\r\n'],
    ['with two lengths', 400, 'malformedRequest', 'POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} '],
    ['with a list of lengths', 400, 'malformedRequest', 'POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 2\r\n\r\n{}'],
    [
      'with a length and chunks',
      400,
      'malformedRequest',
      'POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    [
      'chunked twice',
      400,
      'malformedRequest',
      'POST /users HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n',
    ],
    ['with a negative length', 400, 'malformedRequest', 'POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n'],
    [
      'with a chunk of absurd size',
      400,
      'malformedRequest',
      'POST /users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}',
    ],
    ['with line feeds alone', 400, 'malformedRequest', 'GET /users/1 HTTP/1.1\nHost: x\n\n'],
    ['with a bare carriage return', 400, 'malformedRequest', 'GET /users/1 HTTP/1.1\r\nHost: x\r\nX-A: b\rX-B: c\r\n\r\n'],
  ])('a request %s is %s', async (_what, status, code, bytes) => {
    refusal(await sendRaw(url(), bytes), status, code)
    await isServed()
  })

  test('an expectation that nobody knows is ignored', async () => {
    expect((await send(url(), 'GET', '/users/1', { headers: { expect: 'wonders' } })).json).toEqual(ann)
  })

  const inner =
    'POST /users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 53\r\n\r\n{"id":66,"name":"Smuggler","email":"sam@example.com"}\n'
  test.each([
    [
      'behind chunks that a length hides',
      `POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
    ],
    ['behind the shorter of two lengths', `POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n${inner}`],
    [
      'behind a folded header',
      `POST /users HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${inner}`,
    ],
    ['behind a coding nobody knows', `POST /users HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n${inner}`],
    [
      'behind a chunk extension with a line feed',
      `POST /users HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2;\nxx\r\n{}\r\n0\r\n\r\n${inner}`,
    ],
    ['in the body of a GET', `GET /users/1 HTTP/1.1\r\nHost: x\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`],
    ['in a body that is refused unread', `PUT /users/1 HTTP/1.1\r\nHost: x\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`],
    [
      'in a body of another type',
      `POST /users HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
    ],
    [
      'behind a body that is too large',
      `POST /users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9999999\r\n\r\n${inner}`,
    ],
  ])('no request is smuggled %s', async (_where, bytes) => {
    const answers = await exchange(url(), bytes, { end: true })
    expect(answers).toHaveLength(1)
    refusal(await send(url(), 'GET', '/users/66'), 404, 'userNotFound')
  })

  test('after a GET with a body the connection is in step', async () => {
    const body = 'GET /users/2 HTTP/1.1\r\n\r\n'
    const first = `GET /users/1 HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    const answers = await exchange(url(), `${first}GET /users/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    expect(answers.map(({ json }) => json)).toEqual([ann, ann])
  })

  test.each([
    ['empty', ''],
    ['too long', 'k'.repeat(256)],
    ['not ASCII', 'schlüssel'],
    ['with a tab', 'a\tb'],
  ])('an Idempotency-Key that is %s', async (_what, key) => {
    const body = JSON.stringify({ ...ann, id: 4 })
    const head = `POST /users HTTP/1.1\r\nHost: x\r\nIdempotency-Key: ${key}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
    refusal(await sendRaw(url(), head + body), 400, 'malformedRequest')
    refusal(await send(url(), 'GET', '/users/4'), 404, 'userNotFound')
  })
})

describe.each([
  ['the gateway', () => host.gatewayUrl],
  ['the service itself', () => host.serviceUrls['notification-service']!],
] as const)('queries: %s', (_door, url) => {
  test.each([
    ['none', '', 422],
    ['a question mark', '?', 422],
    ['a name alone', '?order_id', 422],
    ['nothing but separators', `?${'&'.repeat(10_000)}`, 422],
    ['two values', '?order_id=1&order_id=2', 422],
    ['brackets', '?order_id[]=1', 422],
    ['a nested name', '?order_id[a][b]=1', 422],
    ['__proto__', '?__proto__=1', 422],
    ['__proto__, nested', '?__proto__[order_id]=1', 422],
    ['constructor.prototype', '?constructor[prototype][order_id]=1&constructor.prototype.order_id=1', 422],
    ['NUL', '?order_id=1%00', 422],
    ['a giant number', `?order_id=${'9'.repeat(400)}`, 422],
    ['an injection', `?order_id=1'%20or%20'1'='1`, 422],
    ['bad UTF-8', '?order_id=%ff', 400],
    ['half an escape', '?order_id=%4', 400],
    ['bad UTF-8 in a name', '?%c0%80=1', 400],
    ['a thousand names besides', `?order_id=1&${Array.from({ length: 1_000 }, (_, index) => `n${index}=`).join('&')}`, 200],
    ['prototypes besides', '?order_id=1&__proto__=1&constructor=1&toString=1&hasOwnProperty=1', 200],
  ])('%s: %s', async (_what, query, status) => {
    const answer = await send(url(), 'GET', `/notifications${query}`)
    expect(answer.status).toBe(status)
    if (status !== 200) expect(flawIn(answer)).toBeUndefined()
    else expect(answer.json).toEqual([])
  })
})
