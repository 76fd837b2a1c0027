import { describe, expect, test } from 'vitest'
import { amount, start } from './fixtures/payments-and-provider.ts'

const declined = (reason: string) => ({ ok: false, error: { code: 'paymentDeclined', status: 402, data: { reason } } })
const refused = (code: string) => ({ ok: false, error: { code, status: 409 } })

test('a payment is authorized, charged and partly refunded, each once however often it is asked for', async () => {
  const { call, done, authorize, published } = await start()
  for (let repetition = 0; repetition < 2; repetition++)
    expect(await authorize()).toStrictEqual({
      ok: true,
      value: { order_id: 7, status: 'authorized', amount, captured: 0, refunded: 0, reason: null },
    })
  for (let repetition = 0; repetition < 2; repetition++)
    expect(await call.capturePayment({ order_id: 7 })).toMatchObject({ status: 'captured', captured: 2_500 })
  const refund = (refund_id: string, minor_units: number) =>
    call.refundPayment.try({ order_id: 7, refund_id, amount: { minor_units, currency: 'EUR' } })
  for (let repetition = 0; repetition < 2; repetition++)
    expect(await refund('mug', 900)).toMatchObject({ ok: true, value: { status: 'captured', captured: 2_500, refunded: 900 } })
  expect(await refund('mug', 901)).toMatchObject(refused('refundExists'))
  expect(await refund('tea', 1_601)).toMatchObject({ ok: false, error: { code: 'refundTooLarge', data: { refundable: 1_600 } } })
  expect(await refund('tea', 1_600)).toMatchObject({ ok: true, value: { refunded: 2_500 } })
  expect(await authorize()).toMatchObject({ ok: true, value: { status: 'captured' } })
  expect(await call.getPayment({ order_id: 7 })).toMatchObject({ status: 'captured', captured: 2_500, refunded: 2_500 })
  expect(done()).toEqual(['authorization 2500', 'capture 2500', 'refund 900', 'refund 1600'])
  expect(await published()).toEqual(['authorized', 'captured', 'refunded', 'refunded'])
})

test('a payment is named by its order alone: an Idempotency-Key, as a saga sends one, changes nothing', async () => {
  const { call, published } = await start()
  const key = (name: string) => ({ idempotencyKey: `saga 1/${name}` })
  for (let repetition = 0; repetition < 2; repetition++) {
    expect(await call.authorizePayment({ order_id: 7, amount, card: 'tok_ok' }, key('authorize'))).toMatchObject({ order_id: 7 })
    expect(await call.capturePayment({ order_id: 7 }, key('capture'))).toMatchObject({ status: 'captured' })
    expect(await call.refundPayment({ order_id: 7, refund_id: 'a', amount }, key('refund'))).toMatchObject({ refunded: 2_500 })
    expect(await call.voidPayment({ order_id: 8 }, key('void'))).toMatchObject({ status: 'voided' })
  }
  expect(await published()).toEqual(['authorized', 'captured', 'refunded'])
})

describe('a declined card', () => {
  test('stays declined; another card is tried, and charged once', async () => {
    const { call, authorize, done, sandbox, published } = await start()
    for (let repetition = 0; repetition < 2; repetition++)
      expect(await authorize('tok_declined')).toMatchObject(declined('insufficient_funds'))
    expect(await call.capturePayment.try({ order_id: 7 })).toMatchObject(declined('insufficient_funds'))
    expect(await call.getPayment({ order_id: 7 })).toMatchObject({ status: 'declined', reason: 'insufficient_funds', captured: 0 })
    expect(await authorize('tok_ok')).toMatchObject({ ok: true, value: { status: 'authorized', reason: null } })
    expect(await authorize('tok_declined')).toMatchObject(refused('paymentDiffers'))
    await call.capturePayment({ order_id: 7 })
    expect(done()).toEqual(['authorization 2500', 'capture 2500'])
    expect(sandbox.book().requests).toEqual({ '7:authorize:1': 1, '7:authorize:2': 1, '7:capture:2': 1 })
    expect(await published()).toEqual(['authorized', 'declined', 'captured'])
  })

  test('when it is charged leaves nothing held, and may be replaced', async () => {
    const { call, authorize, published, done } = await start()
    await authorize('tok_capture_declined')
    for (let repetition = 0; repetition < 2; repetition++)
      expect(await call.capturePayment.try({ order_id: 7 })).toMatchObject(declined('authorization_expired'))
    expect(await authorize('tok_ok')).toMatchObject({ ok: true, value: { status: 'authorized' } })
    expect(await call.capturePayment({ order_id: 7 })).toMatchObject({ status: 'captured' })
    expect(done()).toEqual(['authorization 2500', 'authorization 2500', 'capture 2500'])
    expect(await published()).toEqual(['authorized', 'authorized', 'declined', 'captured'])
  })
})

describe('a void', () => {
  test('gives up what was authorized, once, and nothing comes after it', async () => {
    const { call, authorize, done, published } = await start()
    await authorize()
    for (let repetition = 0; repetition < 2; repetition++)
      expect(await call.voidPayment({ order_id: 7 })).toMatchObject({ status: 'voided', captured: 0 })
    expect(await call.capturePayment.try({ order_id: 7 })).toMatchObject(refused('paymentVoided'))
    expect(await authorize()).toMatchObject(refused('paymentVoided'))
    expect(done()).toEqual(['authorization 2500', 'void 2500'])
    expect(await published()).toEqual(['authorized', 'voided'])
  })

  test('that comes before the authorization is remembered, and the provider is never asked', async () => {
    const { call, authorize, sandbox, published } = await start()
    expect(await call.voidPayment({ order_id: 7 })).toStrictEqual({
      order_id: 7,
      status: 'voided',
      amount: null,
      captured: 0,
      refunded: 0,
      reason: null,
    })
    expect(await authorize()).toMatchObject(refused('paymentVoided'))
    expect(sandbox.book()).toEqual({ operations: [], requests: {} })
    expect(await published()).toEqual([])
  })

  test.each(['tok_timeout', 'tok_lost'])('ends an authorization whose answer was lost (%s)', async (card) => {
    const { app, call, authorize, tooLate, sandbox, published } = await start()
    expect(await tooLate(authorize(card), '7:authorize:1')).toMatchObject({ ok: false, error: { code: 'deadlineExceeded' } })
    expect(await call.voidPayment({ order_id: 7 })).toMatchObject({ status: 'voided' })
    await app.clock.advance('30s')
    await app.settled()
    expect(await authorize(card)).toMatchObject(refused('paymentVoided'))
    // The provider would refuse it now, if it still came.
    expect(sandbox.book().operations.at(-1)).toMatchObject({ kind: 'void', status: 'succeeded' })
    expect(await call.getPayment({ order_id: 7 })).toMatchObject({ status: 'voided', captured: 0 })
    expect(await published()).toEqual(['voided'])
  })

  test('is refused when the money is taken, or about to be', async () => {
    const { call, authorize, tooLate } = await start()
    await authorize('tok_capture_timeout')
    expect(await tooLate(call.capturePayment.try({ order_id: 7 }), '7:capture:1')).toMatchObject({ ok: false })
    expect(await call.voidPayment.try({ order_id: 7 })).toMatchObject(refused('paymentCaptured'))
    await call.capturePayment({ order_id: 7 })
    expect(await call.voidPayment.try({ order_id: 7 })).toMatchObject(refused('paymentCaptured'))
  })
})

describe('an answer of the provider that is lost', () => {
  test.each(['tok_timeout', 'tok_lost'])('leaves the outcome open, and the same request finds it (%s)', async (card) => {
    const { call, authorize, tooLate, done, published } = await start()
    expect(await tooLate(authorize(card), '7:authorize:1')).toMatchObject({ ok: false, error: { code: 'deadlineExceeded', status: 504 } })
    expect(await call.getPayment({ order_id: 7 })).toMatchObject({ status: 'authorizing' })
    expect(await call.capturePayment.try({ order_id: 7 })).toMatchObject(refused('paymentNotAuthorized'))
    expect(await authorize('tok_ok')).toMatchObject(refused('paymentDiffers'))
    expect(await authorize(card)).toMatchObject({ ok: true, value: { status: 'authorized' } })
    expect(done()).toEqual(['authorization 2500'])
    expect(await published()).toEqual(['authorized'])
  })

  test('of a charge is found by its key: charged once', async () => {
    const { app, call, authorize, tooLate, done, published } = await start()
    await authorize('tok_capture_timeout')
    await tooLate(call.capturePayment.try({ order_id: 7 }), '7:capture:1')
    expect(await call.reconcilePayments({})).toEqual({ settled: 0, open: 0 })
    // It has been open for 30 s then, and no longer: the deadline of who asks about it is on the same clock.
    await app.clock.advance('25s')
    await app.settled()
    expect(await call.getPayment({ order_id: 7 })).toMatchObject({ status: 'captured', captured: 2_500 })
    expect(await call.capturePayment({ order_id: 7 })).toMatchObject({ status: 'captured' })
    expect(done()).toEqual(['authorization 2500', 'capture 2500'])
    expect(await published()).toEqual(['authorized', 'captured'])
  })

  test('of a refund counts against what is left until it is known', async () => {
    const { call, authorize, tooLate, done } = await start()
    await authorize('tok_refund_timeout')
    await call.capturePayment({ order_id: 7 })
    const refund = (refund_id: string) =>
      call.refundPayment.try({ order_id: 7, refund_id, amount: { minor_units: 2_000, currency: 'EUR' } })
    await tooLate(refund('a'), '7:refund:a')
    expect(await refund('b')).toMatchObject({ ok: false, error: { code: 'refundTooLarge', data: { refundable: 500 } } })
    expect(await refund('a')).toMatchObject({ ok: true, value: { refunded: 2_000 } })
    expect(done()).toEqual(['authorization 2500', 'capture 2500', 'refund 2000'])
  })

  test('what never arrived is sent again by the reconciliation', async () => {
    const { app, call, authorize, tooLate, done } = await start()
    // A second after the schedule, so that it is not the schedule that finds it.
    await app.clock.advance('1s')
    await tooLate(authorize('tok_lost'), '7:authorize:1')
    await app.clock.advance('25s')
    expect(await call.reconcilePayments({})).toEqual({ settled: 1, open: 0 })
    expect(await call.getPayment({ order_id: 7 })).toMatchObject({ status: 'authorized' })
    expect(done()).toEqual(['authorization 2500'])
  })

  test('a provider that is overloaded may have done it; it is asked again', async () => {
    const { authorize, done } = await start()
    expect(await authorize('tok_unavailable')).toMatchObject({ ok: false, error: { code: 'deadlineExceeded', status: 504 } })
    expect(await authorize('tok_unavailable')).toMatchObject({ ok: true, value: { status: 'authorized' } })
    expect(done()).toEqual(['authorization 2500'])
  })

  test('a provider that is down is 503, and nothing is decided', async () => {
    const { app, call, authorize, sandbox } = await start()
    await sandbox[Symbol.asyncDispose]()
    expect(await authorize('tok_ok', 8)).toMatchObject({ ok: false, error: { code: 'unavailable', status: 503 } })
    await app.clock.advance('30s')
    await app.settled()
    expect(await app.deadLetters()).toEqual([])
    expect(await call.getPayment({ order_id: 8 })).toMatchObject({ status: 'authorizing' })
  })
})

test.each(['tok_ok', 'tok_webhooks_twice', 'tok_webhooks_reversed'])(
  'webhooks reach the gateway, and change nothing that is known (%s)',
  async (card) => {
    const { app, call, authorize, published, done } = await start({ webhooks: true })
    await authorize(card)
    await call.capturePayment({ order_id: 7 })
    const database = app.host.instances.get('payments')!.database!
    const taken = async () => (await database.query('select key, effect from provider_events order by key')).rows
    await expect
      .poll(taken)
      .toEqual(['7:authorize:1', '7:capture:1'].map((key) => ({ key, effect: expect.stringMatching(/^(known|settled)$/) as string })))
    expect(await call.getPayment({ order_id: 7 })).toMatchObject({ status: 'captured', captured: 2_500 })
    expect(done()).toEqual(['authorization 2500', 'capture 2500'])
    expect(await published()).toEqual(['authorized', 'captured'])
  },
)

test('where the answer is lost, the webhook of the provider is enough', async () => {
  const { call, authorize, tooLate, published, sandbox } = await start({ webhooks: true })
  await tooLate(authorize('tok_timeout'), '7:authorize:1')
  await expect.poll(async () => (await call.getPayment({ order_id: 7 })).status).toBe('authorized')
  expect(sandbox.book().requests).toEqual({ '7:authorize:1': 1 })
  expect(await published()).toEqual(['authorized'])
})

test.each([
  { amount: { minor_units: 0, currency: 'EUR' as const } },
  { amount: { minor_units: 1.5, currency: 'EUR' as const } },
  { card: '4111 1111 1111 1111' },
])('%j is refused', async (change) => {
  const { call } = await start()
  await expect(call.authorizePayment({ order_id: 7, amount, card: 'tok_ok', ...change })).rejects.toMatchObject({ code: 'invalidInput' })
})
