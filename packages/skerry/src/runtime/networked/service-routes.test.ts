import { expect, it } from 'vitest'
import { z } from 'zod'
import { contract, get } from '../../contract/index.ts'
import { service } from '../../service/index.ts'
import { noteServiceImplementation, orders } from '../../testing/fixtures/small-shop.ts'
import { fake, testSystem } from '../../testing/index.ts'

it('describes the operations and the events of the service', async () => {
  await using app = await testSystem({ services: [noteServiceImplementation], fakes: [fake(orders, {})], forceWire: true })
  const url = app.host.serviceUrls.get('notes')!
  expect(await (await fetch(`${url}/openapi.json`)).json()).toMatchObject({ info: { title: 'notes' } })
  const events = (await (await fetch(`${url}/asyncapi.json`)).json()) as { operations: object }
  expect(events.operations).toMatchObject({ 'notes.receive.orders': { messages: [{}, {}] } })
})

const slow = contract('slow', {
  version: '1.0.0',
  operations: { wait: get('/wait', { output: z.object({ ok: z.boolean() }), deadline: '2s' }) },
})

it('answers 504 when a handler takes longer than the operation may, and tells the handler', async () => {
  const begun = Promise.withResolvers<AbortSignal>()
  const implementation = service(slow).implement({
    wait: ({ signal }) => {
      begun.resolve(signal)
      return new Promise(() => {})
    },
  })
  await using app = await testSystem({ services: [implementation], forceWire: true })
  const answer = fetch(`${app.host.serviceUrls.get('slow')!}/wait`)
  const signal = await begun.promise
  expect(signal.aborted).toBe(false)
  await app.clock.advance('2s')
  expect((await answer).status).toBe(504)
  expect(await (await answer).json()).toMatchObject({ code: 'deadlineExceeded' })
  expect(signal.aborted).toBe(true)
})

it('says with every answer of a deprecated operation that it is one, also with a problem', async () => {
  const dated = contract('dated', {
    version: '1.0.0',
    operations: {
      old: get('/old/{id}', {
        input: z.object({ id: z.int() }),
        output: z.object({ ok: z.boolean() }),
        deprecated: { since: '2026-11-01', sunset: '2027-05-01', instead: 'GET /new/{id}' },
      }),
      young: get('/new/{id}', { input: z.object({ id: z.int() }), output: z.object({ ok: z.boolean() }) }),
    },
  })
  const answers = { old: async () => ({ ok: true }), young: async () => ({ ok: true }) }
  await using app = await testSystem({ services: [service(dated).implement(answers)], forceWire: true })
  const url = app.host.serviceUrls.get('dated')!
  for (const path of ['/old/1', '/old/x']) {
    const { headers } = await fetch(url + path)
    expect([headers.get('deprecation'), headers.get('sunset')]).toEqual(['@1793491200', 'Sat, 01 May 2027 00:00:00 GMT'])
  }
  expect((await fetch(`${url}/new/1`)).headers.has('deprecation')).toBe(false)
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: Record<string, { get: object }> }
  expect(document.paths['/old/{id}']!.get).toMatchObject({
    deprecated: true,
    description: 'Deprecated since 2026-11-01, may be gone from 2027-05-01 on. Instead: GET /new/{id}',
  })
  expect(document.paths['/new/{id}']!.get).not.toHaveProperty('deprecated')
})

it('takes the time that is left from the caller', async () => {
  const begun = Promise.withResolvers<void>()
  const implementation = service(slow).implement({
    wait: () => {
      begun.resolve()
      return new Promise(() => {})
    },
  })
  await using app = await testSystem({ services: [implementation], forceWire: true })
  const answer = fetch(`${app.host.serviceUrls.get('slow')!}/wait`, { headers: { 'grpc-timeout': '500m' } })
  await begun.promise
  await app.clock.advance('500ms')
  expect((await answer).status).toBe(504)
})
