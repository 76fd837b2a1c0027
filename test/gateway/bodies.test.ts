/** Request bodies: what is too large ends at the gateway, what is wrong is told apart, what is right arrives byte for byte. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MAX_BODY_BYTES } from './fixture-system.ts'
import { ForeignService } from './foreign-service.ts'
import type { GatewayUnderTest } from './gateways.ts'
import { gatewayKinds } from './gateways.ts'
import { send, sendRaw } from './http-request.ts'
import { ThingInstance } from './thing-instance.ts'

describe.each(gatewayKinds)('bodies: $name', ({ start }) => {
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

  const json = { 'content-type': 'application/json' }

  test.each([
    ['cut short', '{"id":"1"', 'malformedJson'],
    ['not JSON', 'id=1&name=a', 'malformedJson'],
    ['with a key twice', '{"id":"1","name":"a","name":"b"}', 'malformedJson'],
    ['with a key twice, once escaped', '{"id":"1","name":"a","n\\u0061me":"b"}', 'malformedJson'],
    ['with a key that changes prototypes', '{"id":"1","name":"a","__proto__":{"admin":true}}', 'malformedJson'],
    ['nested too deep', `{"id":"1","name":${'['.repeat(100)}${']'.repeat(100)}}`, 'malformedJson'],
    ['without a field', '{"id":"1"}', 'invalidInput'],
    ['of another type', '[]', 'invalidInput'],
    ['that is missing', '', 'invalidInput'],
  ])('a body %s', async (_what, body, code) => {
    const answer = await send(gateway.url, 'POST', '/things', { body, headers: json })
    expect(answer.json).toMatchObject({ status: 422, code, type: `urn:problem:skerry:${code}` })
    expect(answer.status).toBe(422)
    expect(answer.headers['content-type']).toBe('application/problem+json')
  })

  test('a body that is not UTF-8', async () => {
    const body = '{"id":"1","name":"\xff"}'
    const answer = await sendRaw(
      gateway.url,
      `POST /things HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    expect(answer.json).toMatchObject({ status: 422, code: 'malformedJson' })
  })

  test('each wrong field is named', async () => {
    const answer = await send(gateway.url, 'POST', '/things', { body: { id: 1, name: '' } })
    expect(answer.json).toMatchObject({ code: 'invalidInput', errors: [{ path: '/id' }, { path: '/name' }] })
  })

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/jsonp', undefined])(
    'a body of type %s is not read',
    async (type) => {
      const answer = await send(gateway.url, 'POST', '/things', {
        body: '{"id":"1","name":"a"}',
        headers: type === undefined ? {} : { 'content-type': type },
      })
      expect(answer.json).toMatchObject({ status: 415, code: 'unsupportedMediaType' })
      expect(answer.status).toBe(415)
    },
  )

  test.each(['application/json; charset=utf-8', 'application/merge-patch+json', 'Application/JSON'])(
    'a body of type %s is read',
    async (type) => {
      const answer = await send(gateway.url, 'POST', '/things', { body: '{"id":"1","name":"é"}', headers: { 'content-type': type } })
      expect([answer.status, answer.json]).toEqual([201, { id: '1', name: 'é' }])
    },
  )

  test.each([false, true])('up to the limit a body passes (chunked: %s)', async (chunked) => {
    const name = 'n'.repeat(MAX_BODY_BYTES - JSON.stringify({ id: '1', name: '' }).length)
    const answer = await send(gateway.url, 'POST', '/things', { body: { id: '1', name }, chunked })
    expect([answer.status, answer.json]).toEqual([201, { id: '1', name }])
  })

  test.each([false, true])('one byte more is too many (chunked: %s)', async (chunked) => {
    const before = foreign.received.length
    const text = 'n'.repeat(MAX_BODY_BYTES + 1 - JSON.stringify({ text: '' }).length)
    const answer = await send(gateway.url, 'POST', '/foreign/submit', { body: { text }, chunked })
    expect(answer.json).toEqual({
      type: 'urn:problem:skerry:bodyTooLarge',
      title: 'Body too large',
      status: 413,
      detail: `The body may have at most ${MAX_BODY_BYTES} bytes`,
      code: 'bodyTooLarge',
    })
    expect(answer.status).toBe(413)
    expect(answer.headers['content-type']).toBe('application/problem+json')
    expect(foreign.received).toHaveLength(before)
    expect((await send(gateway.url, 'GET', '/things/1')).status).toBe(200)
  })

  test('a body that is announced as too large is refused before it comes', async () => {
    const answer = await sendRaw(
      gateway.url,
      `POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n`,
    )
    expect(answer.json).toMatchObject({ status: 413, code: 'bodyTooLarge' })
  })

  test('a client that asks whether to send its body is told to go on', async () => {
    const answer = await send(gateway.url, 'POST', '/things', { body: { id: '1', name: 'a' }, headers: { expect: '100-continue' } })
    expect(answer.status).toBe(201)
  })

  test('a large answer arrives whole', async () => {
    const body = 'x'.repeat(500_000)
    foreign.behave = (request, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ ...request, body }))
    const answer = await send(gateway.url, 'GET', '/foreign/report')
    expect((answer.json as { body: string }).body).toBe(body)
  })
})
