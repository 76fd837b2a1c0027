/** Which request reaches which operation: the same on every gateway, whatever a client does to the path. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { handled } from './fixture-system.ts'
import { ForeignService } from './foreign-service.ts'
import type { GatewayUnderTest } from './gateways.ts'
import { gatewayKinds } from './gateways.ts'
import { send, sendRaw } from './http-request.ts'
import { ThingInstance } from './thing-instance.ts'

const notFound = {
  type: 'urn:problem:skerry:notFound',
  title: 'Not found',
  status: 404,
  detail: 'Nothing is offered at this path',
  code: 'notFound',
}

describe.each(gatewayKinds)('routing: $name', ({ start }) => {
  let things: ThingInstance
  let foreign: ForeignService
  let gateway: GatewayUnderTest

  beforeAll(async () => {
    things = await ThingInstance.start()
    foreign = await ForeignService.start()
    gateway = await start({ things: things.address, foreign: foreign.address })
  })
  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]()
    await foreign?.[Symbol.asyncDispose]()
    await things?.[Symbol.asyncDispose]()
  })

  test.each([
    ['GET', '/things/7', undefined, 200, { id: '7', instance: 'one' }],
    ['GET', '/things/7/', undefined, 200, { id: '7', instance: 'one' }],
    ['GET', '/things/7?x=1', undefined, 200, { id: '7', instance: 'one' }],
    ['GET', '/things/7/?x=/a/../b', undefined, 200, { id: '7', instance: 'one' }],
    ['GET', '/things/7/parts/3', undefined, 200, { id: '7', part: 3 }],
    ['GET', '/things?limit=5&tag=a&tag=b', undefined, 200, { limit: 5, tag: ['a', 'b'] }],
    ['GET', '/things/?limit=5', undefined, 200, { limit: 5 }],
    ['POST', '/things', { id: '1', name: 'a' }, 201, { id: '1', name: 'a' }],
    ['POST', '/things/', { id: '1', name: 'a' }, 201, { id: '1', name: 'a' }],
    ['PUT', '/things/9', { name: 'b' }, 200, { id: '9', name: 'b' }],
  ])('%s %s', async (method, path, body, status, expected) => {
    const answer = await send(gateway.url, method, path, { body })
    expect(answer.json).toEqual(expected)
    expect(answer.status).toBe(status)
    expect(answer.headers['content-type']).toBe('application/json')
  })

  test('an answer without a body', async () => {
    const answer = await send(gateway.url, 'DELETE', '/things/7')
    expect([answer.status, answer.text]).toEqual([204, ''])
  })

  test('a literal segment goes before a parameter, for the methods that it has', async () => {
    expect((await send(gateway.url, 'GET', '/things/featured')).json).toMatchObject({ id: 'the featured one' })
    expect((await send(gateway.url, 'DELETE', '/things/featured')).status).toBe(204)
    expect(handled.at(-1)).toBe('removeThing featured')
  })

  test.each([
    '/',
    '/thing',
    '/thingsfoo',
    '/Things',
    '/THINGS/1',
    '/things/1/parts',
    '/things/1/parts/2/3',
    '/healthy',
    '/health/x',
    '/openapi.json/x',
    '/?/things',
    '/@skerry/things.getThing',
    '/@skerry/health',
    '/things%2F1',
    '/%74hings/1',
    '/things/a%2Fb/audit',
  ])('nothing is at %s', async (path) => {
    const answer = await send(gateway.url, 'GET', path)
    expect(answer.json).toEqual(notFound)
    expect(answer.status).toBe(404)
    expect(answer.headers['content-type']).toBe('application/problem+json')
  })

  test.each(['//things', '//things/1', '/things//1', '/things/1//', '/things//', '//', '///'])(
    'empty segments are not folded away: %s',
    async (path) => {
      const answer = await send(gateway.url, 'GET', path)
      expect(answer.json).toEqual(notFound)
    },
  )

  test.each([
    ['a%2Fb', 'a/b'],
    ['%C3%A9', 'é'],
    ['a%20b', 'a b'],
    ['%41', 'A'],
    ['a%3Fb', 'a?b'],
    ['a%23b', 'a#b'],
    ['a%25b', 'a%b'],
    ['a+b', 'a+b'],
    ['a;b=c', 'a;b=c'],
    ["$host%22'%5C", '$host"\'\\'],
    ['...', '...'],
    ['a%2F..%2Fb', 'a/../b'],
  ])('a parameter sent as %s arrives as %s', async (sent, received) => {
    const answer = await send(gateway.url, 'GET', `/things/${sent}`)
    expect(answer.json).toEqual({ id: received, instance: 'one' })
  })

  test.each(['%00', 'a%00b', '%0d%0aX-Injected:%20yes', '%zz', '%', '%C3', '%FF', '%7F'])(
    'a parameter of %s is malformed',
    async (sent) => {
      const answer = await send(gateway.url, 'GET', `/things/${sent}`)
      expect(answer.json).toMatchObject({ status: 400, code: 'malformedRequest', type: 'urn:problem:skerry:malformedRequest' })
      expect(answer.status).toBe(400)
      expect(answer.headers).not.toHaveProperty('x-injected')
    },
  )

  test.each([
    '/foreign/items/..',
    '/foreign/items/.',
    '/foreign/items/../',
    '/foreign/items/%2e%2e',
    '/foreign/items/%2E.',
    '/foreign/items/.%2e?x',
    '/foreign/./report',
    '/foreign/items/../report',
    '/foreign/items/../../foreign/report',
    '/../foreign/report',
    '/x/../foreign/report',
    '/foreign/items/%2e%2e/%2e%2e/things/1',
    '/foreign/items/1/..',
    '/%2e%2e/foreign/report',
  ])('a dot segment reaches no service: %s', async (path) => {
    const before = foreign.received.length
    const answer = await send(gateway.url, 'GET', path)
    expect([400, 404, 422]).toContain(answer.status)
    expect(answer.json).toMatchObject({ status: answer.status, type: expect.stringMatching(/^urn:problem:skerry:/) })
    expect(foreign.received).toHaveLength(before)
  })

  test.each([
    ['GET', '/things/1/audit', 404],
    ['GET', '/things/1/audit/', 404],
    ['GET', '/things/x/../1/audit', 404],
    ['GET', '/things/1%2Faudit', 200],
    ['PATCH', '/things/1', 405],
    ['GET', '//things/1/audit', 404],
    ['GET', '/things/1/./audit', 404],
    ['GET', '/foreign/items/../../things/1/audit', 404],
  ])('what is not public cannot be reached: %s %s', async (method, path, status) => {
    const answer = await send(gateway.url, method, path)
    expect(answer.status).toBe(status)
    expect(handled.filter((call) => /^(audit|rename)/.test(call))).toEqual([])
  })

  test.each([
    ['POST', '/things/7', 'GET, HEAD, PUT, DELETE'],
    ['DELETE', '/things', 'GET, HEAD, POST'],
    ['DELETE', '/things/', 'GET, HEAD, POST'],
    ['POST', '/health', 'GET, HEAD'],
    ['DELETE', '/openapi.json', 'GET, HEAD'],
    ['OPTIONS', '/things/7', 'GET, HEAD, PUT, DELETE'],
    ['PATCH', '/things/featured', 'GET, HEAD, PUT, DELETE'],
    ['TRACE', '/things', 'GET, HEAD, POST'],
    ['PROPFIND', '/things', 'GET, HEAD, POST'],
  ])('%s %s is refused with the methods there are', async (method, path, allowed) => {
    const answer = await send(gateway.url, method, path)
    expect(answer.status).toBe(405)
    expect(methods(answer.headers.allow)).toEqual(methods(allowed))
    expect(answer.headers['content-type']).toBe('application/problem+json')
    expect(answer.json).toEqual({
      type: 'urn:problem:skerry:methodNotAllowed',
      title: 'Method not allowed',
      status: 405,
      detail: `${method} is not offered here, only ${answer.headers.allow}`,
      code: 'methodNotAllowed',
    })
  })

  test('HEAD answers as GET does, without the body', async () => {
    const got = await send(gateway.url, 'GET', '/things/7')
    for (const path of ['/things/7', '/health', '/openapi.json']) {
      const answer = await send(gateway.url, 'HEAD', path)
      expect([answer.status, answer.text, answer.headers['content-type']]).toEqual([200, '', 'application/json'])
    }
    expect((await send(gateway.url, 'HEAD', '/things/7')).headers['content-length']).toBe(got.headers['content-length'])
    expect((await send(gateway.url, 'HEAD', '/nothing')).status).toBe(404)
    expect((await send(gateway.url, 'HEAD', '/things/broken')).status).toBe(200)
  })

  test('a target may be a whole URL, of which the path counts', async () => {
    const answer = await sendRaw(
      gateway.url,
      'GET http://elsewhere.example/things/7?x=1 HTTP/1.1\r\nHost: elsewhere.example\r\nConnection: close\r\n\r\n',
    )
    expect(answer.json).toEqual({ id: '7', instance: 'one' })
  })

  test.each(['/health', '/health/live', '/health/live/'])('%s says that the gateway serves', async (path) => {
    const answer = await send(gateway.url, 'GET', path)
    expect([answer.status, answer.json]).toEqual([200, { status: 'healthy' }])
    expect(answer.headers['content-type']).toBe('application/json')
  })

  test('/health/ready says that it may be sent work', async () => {
    const answer = await send(gateway.url, 'GET', '/health/ready')
    expect([answer.status, answer.json]).toMatchObject([200, { status: 'ready' }])
  })

  test('/openapi.json describes what is public', async () => {
    const answer = await send(gateway.url, 'GET', '/openapi.json')
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toBe('application/json')
    expect(answer.json).toMatchObject({ openapi: expect.stringMatching(/^3\.1\./), info: { title: 'gateway-fixture' } })
    expect(answer.text).not.toContain('audit')
  })

  test('the versions of what serves are not told', async () => {
    for (const path of ['/things/7', '/nothing', '/health'])
      expect(JSON.stringify((await send(gateway.url, 'GET', path)).headers)).not.toMatch(/nginx\/|express|node/i)
  })
})

function methods(allow: string | undefined): string[] {
  return (allow ?? '').split(', ').toSorted()
}
