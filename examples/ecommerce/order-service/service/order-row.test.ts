import { Order } from '@ecommerce/order-service-contract'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toOrder, toRow } from './order-row.ts'

const order = { id: 7, user_id: 1, product: 'kettle', amount: 20 }
const cents = fc.integer({ min: 0, max: 1_000_000_000_000 * 100 })

test('an order comes out of the database as it went in', () => {
  for (const id of [0, -1, 7, Number.MAX_SAFE_INTEGER, '0190f3a4-5b6c-7d8e-9fa0-b1c2d3e4f506'])
    expect(toOrder(toRow({ ...order, id, user_id: id }, new Date(0)))).toStrictEqual({ ...order, id, user_id: id })
})

describe('defect gone: money as float', () => {
  test('every amount in cents is accepted, kept as that many cents, and comes back as it was written', () => {
    fc.assert(
      fc.property(cents, (count) => {
        const written = `${Math.floor(count / 100)}.${String(count % 100).padStart(2, '0')}`
        const parsed = Order.parse({ ...order, amount: JSON.parse(written) })
        const row = toRow(parsed, new Date(0))
        expect(row.amount_cents).toBe(count)
        expect(toOrder(row).amount).toBe(Number(written))
      }),
    )
  })

  test('what is no whole number of cents is refused, however close it is', () => {
    for (const amount of [0.1 + 0.2, 0.001, 19.999, 19.990000000000002, 1e-7, 1234567.8900000001])
      expect(Order.safeParse({ ...order, amount }).error?.issues).toMatchObject([
        { path: ['amount'], message: 'expected at most two decimals' },
      ])
    for (const amount of [0.3, 19.99, 1.1, 4.35, 0.07, 1e3]) expect(Order.safeParse({ ...order, amount }).success).toBe(true)
  })

  test('integers stay integers', () => {
    expect(JSON.stringify(toOrder(toRow(order, new Date(0))).amount)).toBe('20')
  })
})

test('defect gone: negative amounts accepted', () => {
  for (const amount of [-0.01, -1, -Infinity, Infinity, NaN, 1e15, '20', null])
    expect(Order.safeParse({ ...order, amount }).success).toBe(false)
  expect(Order.safeParse({ ...order, amount: 0 }).success).toBe(true)
})
