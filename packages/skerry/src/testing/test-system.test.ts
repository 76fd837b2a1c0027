import { describe, expect, it } from 'vitest'
import { CallError } from '../contract/call-error.ts'
import { gateway } from '../gateway/index.ts'
import { fake } from './fake.ts'
import { noteServiceImplementation, noteServiceThat, orders, orderServiceImplementation, users } from './fixtures/small-shop.ts'
import { testSystem } from './test-system.ts'

const ann = fake(users, {
  getUser: async ({ id }, { fail }) => {
    if (id !== 1) throw fail.userNotFound()
    return { id, name: 'Ann' }
  },
})

describe('an event', () => {
  it('is published once when its transaction commits, and takes effect in its consumer', async () => {
    await using app = await testSystem({ services: [orderServiceImplementation, noteServiceImplementation], fakes: [ann] })
    await app.call.orders.placeOrder({ id: 7, userId: 1, product: 'kettle' })
    await app.settled()
    expect(app.published(orders.events.orderPlaced)).toEqual([{ id: 7, userId: 1, product: 'kettle' }])
    expect(await app.call.notes.listNotes({ orderId: 7 })).toMatchObject([{ orderId: 7, text: 'placed kettle' }])
  })

  it('is not published when its transaction fails', async () => {
    await using app = await testSystem({ services: [orderServiceImplementation, noteServiceImplementation], fakes: [ann] })
    await app.call.orders.placeOrder({ id: 7, userId: 1, product: 'kettle' })
    const again = await app.call.orders.placeOrder.try({ id: 7, userId: 1, product: 'kettle' })
    expect(again).toMatchObject({ ok: false, error: { code: 'duplicateOrder', status: 409, data: { id: 7 } } })
    await app.settled()
    expect(app.published(orders.events.orderPlaced)).toHaveLength(1)
  })

  it('is tried again until its handler succeeds, without a second effect', async () => {
    const attempts: number[] = []
    const notes = noteServiceThat((_, attempt) => {
      attempts.push(attempt)
      if (attempt < 4) throw new Error('not yet')
    })
    await using app = await testSystem({ services: [orderServiceImplementation, notes], fakes: [ann] })
    await app.call.orders.placeOrder({ id: 7, userId: 1, product: 'kettle' })
    await app.settled()
    expect(attempts).toEqual([1, 2, 3, 4])
    expect(await app.call.notes.listNotes({})).toHaveLength(1)
    expect(await app.deadLetters()).toEqual([])
  })

  it('waits for the event before it of the same key, and not for those of others', async () => {
    const seen: string[] = []
    const notes = noteServiceThat((text, attempt) => {
      if (text === 'placed kettle' && attempt < 3) throw new Error('not yet')
      seen.push(text)
    })
    await using app = await testSystem({ services: [orderServiceImplementation, notes], fakes: [ann] })
    await app.call.orders.placeOrder({ id: 7, userId: 1, product: 'kettle' })
    await app.call.orders.renameProduct({ id: 7, product: 'teapot' })
    await app.call.orders.placeOrder({ id: 8, userId: 1, product: 'cup' })
    await app.settled()
    expect(seen).toEqual(['placed cup', 'placed kettle', 'renamed teapot'])
  })

  it('becomes a dead letter after the last attempt, and holds back only its own key', async () => {
    const notes = noteServiceThat((text) => {
      if (text === 'placed kettle') throw new Error('never')
    })
    await using app = await testSystem({ services: [orderServiceImplementation, notes], fakes: [ann] })
    await app.call.orders.placeOrder({ id: 7, userId: 1, product: 'kettle' })
    await app.call.orders.renameProduct({ id: 7, product: 'teapot' })
    await app.call.orders.placeOrder({ id: 8, userId: 1, product: 'cup' })
    await app.settled()
    expect(await app.deadLetters()).toMatchObject([
      { service: 'notes', type: 'orders.orderPlaced.v1', key: '7', cause: 'exhausted', error: 'never', attempts: 12 },
    ])
    expect((await app.call.notes.listNotes({})).map((note) => note.text)).toEqual(['placed cup'])
  })

  it('that breaks its schema is a dead letter at once', async () => {
    await using app = await testSystem({ services: [noteServiceImplementation], fakes: [fake(orders, {})] })
    await app.publish(orders.events.orderPlaced, { id: 7, userId: 1, product: '' })
    await app.settled()
    expect(await app.deadLetters()).toMatchObject([{ cause: 'invalid', attempts: 1, data: { product: '' } }])
  })
})

describe('a call', () => {
  it('meets an open circuit breaker after five failures, and a probe after 30 s', async () => {
    let healthy = false
    let calls = 0
    const unsteady = fake(users, {
      getUser: async ({ id }) => {
        calls++
        if (!healthy) throw new Error('broken')
        return { id, name: 'Ann' }
      },
    })
    await using app = await testSystem({ services: [orderServiceImplementation], fakes: [unsteady] })
    const place = (id: number) => app.call.orders.placeOrder.try({ id, userId: 1, product: 'kettle' })
    for (let id = 1; id <= 8; id++) await place(id)
    expect(calls).toBe(5)
    healthy = true
    await app.clock.advance('29s')
    expect((await place(9)).ok).toBe(false)
    await app.clock.advance('1s')
    expect((await place(10)).ok).toBe(true)
    expect((await place(11)).ok).toBe(true)
    expect(calls).toBe(7)
  })

  it('throws a CallError that carries the declared problem', async () => {
    await using app = await testSystem({ services: [orderServiceImplementation], fakes: [ann] })
    const call = app.call.orders.getOrder({ id: 99 })
    await expect(call).rejects.toBeInstanceOf(CallError)
    await expect(call).rejects.toMatchObject({ code: 'orderNotFound', status: 404 })
  })

  it('is refused inside a transaction, with the fix in the message', async () => {
    let refusal: unknown
    const notes = noteServiceThat(async () => {
      await app.call.orders.listOrders().catch((error: unknown) => (refusal = error))
    })
    await using app = await testSystem({ services: [orderServiceImplementation, notes], fakes: [ann] })
    await app.call.orders.placeOrder({ id: 7, userId: 1, product: 'kettle' })
    await app.settled()
    expect(refusal).toMatchObject({ code: 'callInTransaction', message: expect.stringContaining('Call it before transaction(…)') })
  })

  it('does not wait longer than its deadline', async () => {
    const silent = fake(users, { getUser: () => new Promise(() => {}) })
    await using app = await testSystem({ services: [orderServiceImplementation], fakes: [silent] })
    const answer = app.call.orders.placeOrder.try({ id: 7, userId: 1, product: 'kettle' })
    await app.clock.advance('1s')
    expect(await answer).toMatchObject({ ok: false })
  })

  it('sees the same through the gateway', async () => {
    await using app = await testSystem({
      services: [orderServiceImplementation, noteServiceImplementation],
      fakes: [ann],
      gateway: gateway(),
    })
    const response = await fetch(`${app.gatewayUrl}/orders/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id: 7, userId: 2, product: 'kettle' }),
    })
    expect(response.status).toBe(400)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(await response.json()).toMatchObject({ code: 'userNotFound', detail: 'User not found', status: 400 })
  })
})
