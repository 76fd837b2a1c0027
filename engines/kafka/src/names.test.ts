import fc from 'fast-check'
import { expect, test } from 'vitest'
import { groupOf, topicNameOf, topicOf } from './names.ts'

test('names of contracts are seen as they are', () => {
  expect(topicNameOf('skerry', 'order-service')).toBe('skerry.order-service')
  expect(groupOf('skerry', 'order-service')).toBe('skerry.order-service')
})

test('any name at all makes a legal topic, and comes back from it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (topic) => {
      const name = topicNameOf('skerry', topic)
      expect(name).toMatch(/^skerry\.[\w-]*$/)
      expect(topicOf('skerry', name)).toBe(topic)
    }),
  )
})
