/** How an answer that stands in for another is marked on its way to whoever has asked first: in one process and over HTTP alike. */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { using } from '../client/policies.ts'
import { contract } from '../contract/contract.ts'
import { get } from '../contract/operation.ts'
import { gateway } from '../gateway/gateway.ts'
import { service } from '../service/service.ts'
import { testSystem } from '../testing/test-system.ts'

const Text = z.object({ text: z.string() })
const far = contract('far', {
  version: '1.0.0',
  operations: { ask: get('/far', { output: Text, public: true }), peek: get('/far/inside', { output: Text }) },
})
const middle = contract('middle', {
  version: '1.0.0',
  operations: { ask: get('/middle', { output: Text, public: true }), look: get('/middle/look', { output: Text, public: true }) },
})
const near = contract('near', {
  version: '1.0.0',
  operations: {
    ask: get('/near', { output: Text.extend({ degraded: z.array(z.string()) }), public: true }),
    rest: get('/rest', { output: Text, public: true }),
  },
})

/** Near asks middle, which asks far; far answers or not, as it is set to. */
async function chain(forceWire: boolean | 'fast') {
  const state = { isDown: false }
  const farService = service(far).implement({
    async ask() {
      if (state.isDown) throw new Error('down')
      return { text: 'far' }
    },
    async peek() {
      throw new Error('down')
    },
  })
  const middleService = service(middle, {
    uses: {
      far: using(far, {
        operations: { ask: { fallback: () => ({ text: 'made up' }) }, peek: { fallback: () => ({ text: 'made up inside' }) } },
      }),
    },
  }).implement({
    ask: ({ call }) => call.far.ask(),
    async look({ call }) {
      await call.far.ask()
      return call.far.peek()
    },
  })
  const nearService = service(near, { uses: { middle } }).implement({
    async ask({ call }) {
      const answer = await call.middle.ask.try()
      if (!answer.ok) throw new Error('middle has no answer')
      return { text: answer.value.text, degraded: (answer.degraded ?? []).map(({ operation, because }) => `${operation} ${because}`) }
    },
    rest: async () => ({ text: 'alone' }),
  })
  const app = await testSystem({
    services: [farService, middleService, nearService],
    gateway: gateway({ using: [using(far, { operations: { ask: { lastKnown: true } } })] }),
    forceWire,
  })
  const fetched = async (path: string) => {
    const response = await fetch(app.gatewayUrl + path)
    return { status: response.status, body: await response.json(), degraded: response.headers.get('skerry-degraded') }
  }
  return { state, app, fetched }
}

describe.each([
  ['in one process', false],
  ['over HTTP', true],
  ['over the fast wire', 'fast'],
] as const)('%s', (_where, forceWire) => {
  it('says through all services in between, and in a header at the end, what could not be asked', async () => {
    const { state, app, fetched } = await chain(forceWire)
    await using _ = app
    expect(await fetched('/near')).toEqual({ status: 200, body: { text: 'far', degraded: [] }, degraded: null })
    state.isDown = true
    const made = { text: 'made up', degraded: ['far.ask unavailable'] }
    expect(await fetched('/near')).toEqual({ status: 200, body: made, degraded: 'far.ask;because=unavailable;answer=fallback' })
    // It belongs to the answer and not to the service.
    expect(await fetched('/rest')).toMatchObject({ status: 200, degraded: null })
  })

  it('the gateway names what is public only, and keeps back of the rest no more than its name', async () => {
    const { state, app, fetched } = await chain(forceWire)
    await using _ = app
    const ownMark = 'middle.look;because=unavailable;answer=fallback'
    expect(await fetched('/middle/look')).toEqual({ status: 200, body: { text: 'made up inside' }, degraded: ownMark })
    expect(await app.call.middle.look.try()).toMatchObject({ degraded: [{ operation: 'far.peek' }] })
    state.isDown = true
    expect((await fetched('/middle/look')).degraded).toBe(`far.ask;because=unavailable;answer=fallback, ${ownMark}`)
  })

  it('the gateway says what it knew last, and how old that is', async () => {
    const { state, app, fetched } = await chain(forceWire)
    await using _ = app
    expect(await fetched('/far')).toMatchObject({ status: 200, degraded: null })
    state.isDown = true
    await app.clock.advance('42s')
    expect(await fetched('/far')).toEqual({
      status: 200,
      body: { text: 'far' },
      degraded: 'far.ask;because=unavailable;answer=lastKnown;age=42',
    })
  })
})

it('a fallback of the gateway that breaks the contract is a failure of the gateway, and its span says so', async () => {
  const down = service(far).implement({ ask: () => Promise.reject(new Error('down')), peek: async () => ({ text: '' }) })
  const wrong = using(far, { operations: { ask: { fallback: () => ({ text: 1 as unknown as string }) } } })
  await using app = await testSystem({ services: [down], gateway: gateway({ using: [wrong] }) })
  const response = await fetch(`${app.gatewayUrl}/far`)
  expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([500, 'internal'])
  const [span, ...others] = app.spans().filter(({ kind, service: by }) => kind === 'server' && by === 'gateway')
  expect(others).toEqual([])
  expect(span).toMatchObject({ name: 'GET /far', attributes: { 'error.type': 'internal', 'http.response.status_code': 500 } })
})

it('a gateway that is using a service which is not there is refused', async () => {
  const lone = service(near, { uses: { middle } }).implement({
    ask: async () => ({ text: '', degraded: [] }),
    rest: async () => ({ text: '' }),
  })
  await expect(testSystem({ services: [lone], gateway: gateway({ using: [using(far, {})] }) })).rejects.toThrow(
    'the gateway is using "far", which no service implements',
  )
  expect(() => gateway({ using: [using(far, {}), using(far, {})] })).toThrow('far twice')
})
