import { payments } from '@shop/payments-contract'
import type { Operation, ProviderSandbox } from '@shop/provider-sandbox'
import { sign, startProviderSandbox } from '@shop/provider-sandbox'
import { testSystem } from 'skerry/testing'
import { expect, onTestFinished, test } from 'vitest'
import service from './service.ts'

const amount = { minor_units: 2_500, currency: 'EUR' as const }
const secret = 'a secret of this test'

async function start() {
  const sandbox = await startProviderSandbox({ webhookSecret: secret })
  onTestFinished(async () => sandbox[Symbol.asyncDispose]())
  const app = await testSystem({
    services: [service],
    environment: { PAYMENT_PROVIDER_URL: sandbox.url, PAYMENT_WEBHOOK_SECRET: secret },
  })
  onTestFinished(async () => app[Symbol.asyncDispose]())
  const signed = (key: string, change: Partial<Operation> = {}, signedBy = secret, at = app.clock.now()) =>
    sign(newsOf(sandbox, key, change), signedBy, at)
  return {
    app,
    sandbox,
    signed,
    call: app.call.payments,
    authorize: (card: string) => app.call.payments.authorizePayment.try({ order_id: 7, amount, card }),
    receive: (key: string, change?: Partial<Operation>) => app.call.payments.receiveWebhook.try(signed(key, change)),
    async tooLate<T>(answer: Promise<T>, key: string): Promise<T> {
      await expect.poll(() => sandbox.book().requests[key]).toBe(1)
      await app.clock.advance('5s')
      return answer
    },
    async published() {
      await app.settled()
      const { paymentAuthorized, paymentDeclined, paymentCaptured, paymentVoided } = payments.events
      return [
        ...app.published(paymentAuthorized).map(() => 'paymentAuthorized'),
        ...app.published(paymentDeclined).map(() => 'paymentDeclined'),
        ...app.published(paymentCaptured).map(() => 'paymentCaptured'),
        ...app.published(paymentVoided).map(() => 'paymentVoided'),
      ]
    },
  }
}

/** The webhook that the provider would send. */
function newsOf(sandbox: ProviderSandbox, key: string, change: Partial<Operation>) {
  const operation = sandbox.book().operations.find((operation) => operation.key === key)
  const { card: _card, ...all } = {
    key,
    kind: 'capture' as const,
    authorization: key,
    status: 'succeeded' as const,
    at: '',
    ...operation,
    ...change,
  }
  return { id: `evt_${key}_${all.status}`, type: `${all.kind}.${all.status}`, operation: all }
}

test('a webhook brings the answer that was lost, once', async () => {
  const { receive, authorize, tooLate, call, published, sandbox } = await start()
  await tooLate(authorize('tok_timeout'), '7:authorize:1')
  for (let repetition = 0; repetition < 3; repetition++) expect(await receive('7:authorize:1')).toEqual({ ok: true, value: undefined })
  expect(await call.getPayment({ order_id: 7 })).toMatchObject({ status: 'authorized' })
  expect(await authorize('tok_timeout')).toMatchObject({ ok: true })
  expect(sandbox.book().requests).toEqual({ '7:authorize:1': 1 })
  expect(await published()).toEqual(['paymentAuthorized'])
})

test('webhooks in reverse order, each twice, change nothing that is known', async () => {
  const { receive, authorize, tooLate, call, published } = await start()
  await authorize('tok_capture_timeout')
  await tooLate(call.capturePayment.try({ order_id: 7 }), '7:capture:1')
  for (const key of ['7:capture:1', '7:authorize:1', '7:capture:1', '7:authorize:1']) expect(await receive(key)).toMatchObject({ ok: true })
  expect(await call.getPayment({ order_id: 7 })).toMatchObject({ status: 'captured', captured: 2_500 })
  expect(await published()).toEqual(['paymentAuthorized', 'paymentCaptured'])
})

test('a webhook of an authorization that comes after its void finds it voided', async () => {
  const { receive, authorize, tooLate, call, published } = await start()
  await tooLate(authorize('tok_timeout'), '7:authorize:1')
  await call.voidPayment({ order_id: 7 })
  expect(await receive('7:authorize:1')).toMatchObject({ ok: true })
  expect(await call.getPayment({ order_id: 7 })).toMatchObject({ status: 'voided' })
  expect(await published()).toEqual(['paymentVoided'])
})

test('a webhook and the answer at once take effect once', async () => {
  const { app, signed, authorize, call, published } = await start()
  await authorize('tok_ok')
  const webhook = signed('7:capture:1', { amount: 2_500 })
  let ended = false
  const together = Promise.all([call.capturePayment({ order_id: 7 }), ...Array.from({ length: 5 }, () => call.receiveWebhook(webhook))])
  void together.finally(() => {
    ended = true
  })
  // Pauses between attempts are on the clock of the test, which has to move until all have ended.
  const isEnded = async (): Promise<boolean> => {
    await app.settled()
    return ended
  }
  await expect.poll(isEnded).toBe(true)
  await together
  expect(await call.getPayment({ order_id: 7 })).toMatchObject({ status: 'captured', captured: 2_500 })
  expect(await published()).toEqual(['paymentAuthorized', 'paymentCaptured'])
})

test('what contradicts what is known, and what is about a stranger, is taken and has no effect', async () => {
  const { receive, authorize, call, published } = await start()
  await authorize('tok_ok')
  expect(await receive('7:authorize:1', { status: 'declined', reason: 'changed our mind' })).toMatchObject({ ok: true })
  expect(await receive('8:capture:1')).toMatchObject({ ok: true })
  expect(await call.getPayment({ order_id: 7 })).toMatchObject({ status: 'authorized' })
  expect(await call.getPayment.try({ order_id: 8 })).toMatchObject({ ok: false, error: { code: 'paymentNotFound', status: 404 } })
  expect(await published()).toEqual(['paymentAuthorized'])
})

test('a webhook that somebody else has signed, changed or recorded is refused', async () => {
  const { app, signed, authorize, tooLate, call } = await start()
  await tooLate(authorize('tok_timeout'), '7:authorize:1')
  const genuine = signed('7:authorize:1')
  const other = signed('7:authorize:1', { amount: 1 })
  const unsigned = Buffer.from(JSON.stringify({ alg: 'none', iat: app.clock.nowMs() / 1_000 })).toString('base64url')
  const refused = { ok: false, error: { code: 'webhookRefused', status: 401 } }
  for (const webhook of [
    signed('7:authorize:1', {}, 'another secret'),
    { ...genuine, payload: other.payload },
    { ...genuine, signature: other.signature },
    { ...genuine, signature: genuine.signature.slice(0, -2) },
    { ...genuine, protected: unsigned },
    signed('7:authorize:1', {}, secret, new Date(app.clock.nowMs() - 301_000)),
    signed('7:authorize:1', {}, secret, new Date(app.clock.nowMs() + 301_000)),
  ])
    expect(await call.receiveWebhook.try(webhook)).toMatchObject(refused)
  expect(await call.getPayment({ order_id: 7 })).toMatchObject({ status: 'authorizing' })
  expect(await call.receiveWebhook.try(signed('7:authorize:1', {}, secret, new Date(app.clock.nowMs() - 299_000)))).toMatchObject({
    ok: true,
  })
})
