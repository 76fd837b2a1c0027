import { expect, test } from 'vitest'
import { z } from 'zod'
import { contract, post } from '../contract/index.ts'
import { gateway } from '../gateway/index.ts'
import { testSystem } from '../testing/index.ts'
import { service } from './index.ts'

const keys = contract('keys', {
  version: '1.0.0',
  operations: { echo: post('/echo', { output: z.object({ key: z.string().optional() }), public: true }) },
})
const keyService = service(keys).implement({ echo: async ({ idempotencyKey: key }) => (key === undefined ? {} : { key }) })

test.each([false, true])(
  'an Idempotency-Key reaches the handler, unless it is one that could not be kept (over HTTP: %s)',
  async (forceWire) => {
    await using app = await testSystem({ services: [keyService], gateway: gateway(), forceWire })
    const send = (key: string) => fetch(`${app.gatewayUrl}/echo`, { method: 'POST', headers: { 'idempotency-key': key } })
    for (const key of ['8e03978e-40d5-43dd-bc93-6894a57f9324', 'a b', 'x'.repeat(255)])
      expect(await (await send(key)).json()).toEqual({ key })
    for (const key of ['x'.repeat(256), '', 'caf\u00e9']) {
      const answer = await send(key)
      expect(answer.status).toBe(400)
      expect(await answer.json()).toMatchObject({
        code: 'malformedRequest',
        detail: 'An Idempotency-Key has 1 to 255 printable ASCII characters',
      })
    }
    await expect(app.call.keys.echo({}, { idempotencyKey: 'x'.repeat(256) })).rejects.toMatchObject({ status: 400 })
    expect(await app.call.keys.echo({})).toEqual({})
  },
)
