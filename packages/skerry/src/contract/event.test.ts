import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { event } from './event.ts'

const Placed = z.object({ orderId: z.string() })

describe('event', () => {
  it('declares a fact with its ordering key', () => {
    expect(event(Placed, { key: 'orderId' })).toEqual({
      kind: 'event',
      data: Placed,
      key: 'orderId',
      version: 1,
      summary: undefined,
      bindings: {},
    })
    const bindings = { amqp: { queue: 'orders', durable: false } }
    expect(event(Placed, { key: 'orderId', version: 3, summary: 'An order was placed', bindings })).toMatchObject({
      version: 3,
      summary: 'An order was placed',
      bindings,
    })
  })

  it.each([0, -1, 1.5, Number.NaN, Infinity])('refuses version %s', (version) => {
    expect(() => event(Placed, { key: 'orderId', version })).toThrow(
      new TypeError(`event version ${version}: expected a whole number from 1`),
    )
  })
})
