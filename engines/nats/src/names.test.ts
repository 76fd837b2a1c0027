import fc from 'fast-check'
import { expect, test } from 'vitest'
import { durableOf, subjectOf, takes, topicOf } from './names.ts'

test('names of contracts are seen as they are', () => {
  expect(subjectOf('skerry', 'order-service')).toBe('skerry.order-service')
  expect(durableOf('payments', 'order-service')).toBe('payments__order-service')
})

test('any name at all makes one part of a subject, and comes back from it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (topic) => {
      const subject = subjectOf('skerry', topic)
      expect(subject).toMatch(/^skerry\.[\w=-]*$/)
      expect(topicOf('skerry', subject)).toBe(topic)
    }),
  )
})

test('two consumers never share a durable', () => {
  const name = fc.string({ unit: fc.constantFrom('a', '_', '-', '.', '=', '5', 'f') })
  fc.assert(
    fc.property(name, name, name, name, (a, b, c, d) => {
      fc.pre(a !== c || b !== d)
      expect(durableOf(a, b)).not.toBe(durableOf(c, d))
    }),
  )
})

test.each([
  ['skerry.orders', true],
  ['skerry.*', true],
  ['skerry.>', true],
  ['>', true],
  ['*.*', true],
  ['skerry.payments', false],
  ['*', false],
  ['skerry', false],
  ['skerry.orders.>', false],
  ['skerry.orders.*', false],
  ['*.payments', false],
])('a consumer that filters by %s takes skerry.orders: %s', (filter, expected) => {
  expect(takes(filter, 'skerry.orders')).toBe(expected)
})
