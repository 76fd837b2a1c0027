import type { Money } from '@shop/catalog-contract'
import { expect, test } from 'vitest'
import { priceOrder, requestedLines } from './pricing.ts'

const price = (sku: string, minor_units: number, currency: Money['currency'] = 'EUR') => ({
  sku,
  name: sku.toUpperCase(),
  price: { minor_units, currency },
})
const prices = [price('mug', 890), price('tea', 720), price('gin', 3_000, 'GBP')]
const order = {
  user_id: 1,
  lines: [
    { sku: 'mug', quantity: 3 },
    { sku: 'tea', quantity: 1 },
  ],
}

test('an order costs the sum of its lines', () => {
  expect(priceOrder(order, prices)).toStrictEqual({
    kind: 'priced',
    lines: [
      { sku: 'mug', quantity: 3, name: 'MUG', unit_price: { minor_units: 890, currency: 'EUR' } },
      { sku: 'tea', quantity: 1, name: 'TEA', unit_price: { minor_units: 720, currency: 'EUR' } },
    ],
    total: { minor_units: 3_390, currency: 'EUR' },
  })
})

test('a product is a line of one piece', () => {
  expect(requestedLines({ user_id: 1, product: 'mug' })).toEqual([{ sku: 'mug', quantity: 1 }])
})

test('what the catalog does not know is named, once', () => {
  const lines = ['mug', 'unicorn', 'griffin', 'unicorn'].map((sku) => ({ sku, quantity: 1 }))
  expect(priceOrder({ user_id: 1, lines }, prices)).toEqual({ kind: 'unknown', skus: ['unicorn', 'griffin'] })
})

test('currencies are never added up', () => {
  const lines = ['mug', 'gin'].map((sku) => ({ sku, quantity: 1 }))
  expect(priceOrder({ user_id: 1, lines }, prices)).toEqual({ kind: 'several currencies' })
})
