/** Services that are down, slow, broken or rude: the client gets a problem it can act on, and no change is made twice. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { echo, ForeignService, hangUp, respond, silent, talkNonsense } from './foreign-service.ts'
import type { GatewayUnderTest } from './gateways.ts'
import { gatewayKinds } from './gateways.ts'
import type { Answer } from './http-request.ts'
import { send } from './http-request.ts'
import { ThingInstance } from './thing-instance.ts'

describe.each(gatewayKinds)('failures: $name', ({ start, isNginx }) => {
  let foreign: ForeignService
  let gateway: GatewayUnderTest

  // One for each test: failures open circuit breakers.
  beforeEach(async () => {
    foreign = await ForeignService.start()
    gateway = await start({ foreign: foreign.address })
    return async () => {
      await gateway[Symbol.asyncDispose]()
      await foreign[Symbol.asyncDispose]()
    }
  })

  function expectUnavailable(answer: Answer, service: string): void {
    expect(answer.json).toEqual({
      type: 'urn:problem:skerry:unavailable',
      title: 'Service unavailable',
      status: 503,
      detail: `${service} is unavailable`,
      code: 'unavailable',
    })
    expect(answer.status).toBe(503)
    expect(answer.headers['content-type']).toBe('application/problem+json')
    expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1)
  }

  test('a service that is not there is unavailable, the others are not', async () => {
    expectUnavailable(await send(gateway.url, 'GET', '/things/1'), 'things')
    expectUnavailable(await send(gateway.url, 'POST', '/things', { body: { id: '1', name: 'a' } }), 'things')
    expectUnavailable(await send(gateway.url, 'PUT', '/things/1', { body: { name: 'a' } }), 'things')
    expect((await send(gateway.url, 'GET', '/foreign/report')).status).toBe(200)
    expect((await send(gateway.url, 'GET', '/health/live')).status).toBe(200)
  })

  test('a change is sent once, although nobody knows what became of it', async () => {
    foreign.behave = hangUp
    expectUnavailable(await send(gateway.url, 'POST', '/foreign/submit', { body: { text: 'x' } }), 'foreign')
    expect(foreign.received).toHaveLength(1)
  })

  test.skipIf(isNginx)(
    'a service that does not speak HTTP is unavailable (nginx takes what it says for HTTP/0.9 and passes it on)',
    async () => {
      foreign.behave = talkNonsense
      expectUnavailable(await send(gateway.url, 'POST', '/foreign/submit', { body: { text: 'x' } }), 'foreign')
      expect(foreign.received).toHaveLength(1)
    },
  )

  test('a change is sent once also when an idle connection breaks just then', async () => {
    expect((await send(gateway.url, 'GET', '/foreign/report')).status).toBe(200)
    foreign.behave = hangUp
    expectUnavailable(await send(gateway.url, 'POST', '/foreign/submit', { body: { text: 'x' } }), 'foreign')
    expect(foreign.received.filter(({ method }) => method === 'POST')).toHaveLength(1)
  })

  test('a service that does not answer in time', async () => {
    foreign.behave = silent
    const answer = await send(gateway.url, 'GET', '/foreign/quick')
    // The embedded one also says which operation it was, and in which trace.
    const { traceId: _traceId, ...problem } = answer.json as { traceId?: string }
    expect(problem).toEqual({
      type: 'urn:problem:skerry:deadlineExceeded',
      title: 'Deadline exceeded',
      status: 504,
      detail: expect.stringMatching(/^foreign(\.quick)? did not answer in time$/),
      code: 'deadlineExceeded',
    })
    expect(answer.status).toBe(504)
    expect(answer.headers['content-type']).toBe('application/problem+json')
  })

  test('a service that stops in the middle of its headers', async () => {
    foreign.behave = (_request, _response, { socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-Le')
    expect((await send(gateway.url, 'GET', '/foreign/quick')).status).toBe(504)
  })

  test("a service's own problem arrives as it is", async () => {
    const problem = { type: 'urn:problem:foreign:busy', title: 'Busy', status: 503, detail: 'Come back later', code: 'busy' }
    foreign.behave = respond(503, { 'content-type': 'application/problem+json', 'retry-after': '7' }, JSON.stringify(problem))
    const answer = await send(gateway.url, 'GET', '/foreign/report')
    expect([answer.status, answer.json, answer.headers['retry-after'], answer.headers['content-type']]).toEqual([
      503,
      problem,
      '7',
      'application/problem+json',
    ])
  })

  test.each([500, 502, 504, 404, 409, 400, 413])('an answer %i of the service is not replaced', async (status) => {
    const problem = { type: 'about:blank', title: 'Mine', status, detail: 'my own words', code: 'mine' }
    foreign.behave = respond(status, { 'content-type': 'application/problem+json' }, JSON.stringify(problem))
    const answer = await send(gateway.url, 'GET', '/foreign/report')
    expect([answer.status, answer.json]).toEqual([status, problem])
  })

  describe('with a service of ours', () => {
    let things: ThingInstance
    let inFront: GatewayUnderTest
    beforeAll(async () => {
      things = await ThingInstance.start()
      inFront = await start({ things: things.address })
    })
    afterAll(async () => {
      await inFront?.[Symbol.asyncDispose]()
      await things?.[Symbol.asyncDispose]()
    })

    test('a declared problem arrives with its data', async () => {
      const answer = await send(inFront.url, 'GET', '/things/missing')
      expect([answer.status, answer.json]).toMatchObject([
        404,
        { type: 'urn:problem:things:thingNotFound', code: 'thingNotFound', data: { id: 'missing' } },
      ])
    })

    test('an error inside is told without its reason', async () => {
      const answer = await send(inFront.url, 'POST', '/things/broken')
      expect(answer.json).toMatchObject({ status: 500, code: 'internal', traceId: expect.stringMatching(/^[0-9a-f]{32}$/) })
      expect(answer.text).not.toContain('secret')
    })

    test('a service that dies and comes back is served again', async () => {
      expect((await send(inFront.url, 'GET', '/things/1')).status).toBe(200)
      await things.stop()
      expectUnavailable(await send(inFront.url, 'GET', '/things/1'), 'things')
      expectUnavailable(await send(inFront.url, 'GET', '/things/2'), 'things')
      await things.start()
      expect((await send(inFront.url, 'GET', '/things/3')).json).toEqual({ id: '3', instance: 'one' })
    })
  })

  test('the same client is served again as soon as the service behaves', async () => {
    foreign.behave = hangUp
    expectUnavailable(await send(gateway.url, 'GET', '/foreign/report'), 'foreign')
    foreign.behave = echo
    expect((await send(gateway.url, 'GET', '/foreign/report')).status).toBe(200)
  })
})
