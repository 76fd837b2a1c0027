/** On a real PostgreSQL, where transactions do run at the same time. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { start } from './fixtures/payments-and-provider.ts'

beforeAll(() => {
  vi.stubEnv('SKERRY_TEST_DATABASE_URL', process.env['SKERRY_TEST_POSTGRES_URL'])
})
afterAll(() => {
  vi.unstubAllEnvs()
})

test('cancel racing capture: one of them wins, here and at the provider', async () => {
  const { call, authorize, sandbox, movingOn } = await start()
  for (let order_id = 1; order_id <= 10; order_id++) {
    await authorize('tok_ok', order_id)
    const [captured, voided] = await movingOn(Promise.all([call.capturePayment.try({ order_id }), call.voidPayment.try({ order_id })]))
    expect(captured.ok).toBe(!voided.ok)
    const kinds = sandbox.book().operations.filter(({ key, status }) => key.startsWith(`${order_id}:`) && status === 'succeeded')
    expect(kinds.map(({ kind }) => kind)).toEqual(['authorization', captured.ok ? 'capture' : 'void'])
  }
})

test('the same command from many callers is done once', async () => {
  const { call, authorize, done, published, movingOn } = await start()
  const many = <T>(work: () => Promise<T>) => movingOn(Promise.all(Array.from({ length: 8 }, work)))
  for (const answer of await many(() => authorize('tok_slow'))) expect(answer).toMatchObject({ ok: true, value: { status: 'authorized' } })
  for (const answer of await many(() => call.capturePayment({ order_id: 7 }))) expect(answer).toMatchObject({ status: 'captured' })
  expect(done()).toEqual(['authorization 2500', 'capture 2500'])
  expect(await published()).toEqual(['authorized', 'captured'])
})
