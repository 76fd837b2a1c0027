import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { order } from './fixtures/orders.ts'
import { readStored, storedEvent } from './stored-event.ts'
import { stream } from './stream.ts'

const place = { stream: 'order', id: '7', version: 3 }
const read = (type: string, schema: number, data: unknown) => readStored(order.events, type, schema, data, place)

describe('a stored event is read', () => {
  it.each([
    [1, { product: 'kettle' }],
    [2, { sku: 'kettle' }],
    [3, { sku: 'kettle', quantity: 1 }],
  ])('from schema %d in the form of today', (schema, data) => {
    expect(read('lineAdded', schema, data)).toEqual({ sku: 'kettle', quantity: 1 })
  })

  it.each([
    ['of a newer schema', 'lineAdded', 4, {}, 'was written under schema 4, and this code knows schemas up to 3'],
    ['of an unknown type', 'shipped', 1, {}, 'its type "shipped" is not declared'],
    ['of a type that objects have by nature', 'constructor', 1, {}, 'is not declared'],
    ['that its upcaster cannot take', 'lineAdded', 1, null, 'upcast 1 of "lineAdded" failed'],
  ])('never when it is %s: it stops the reader', (_, type, schema, data, message) => {
    expect(() => read(type, schema, data)).toThrow(
      expect.objectContaining({ code: 'storedEventUnreadable', message: expect.stringContaining(message), data: place }),
    )
  })

  it.each([
    ['nothing', () => undefined],
    ['a promise', async () => ({})],
  ])('never when an upcaster gives %s', (_, upcast) => {
    const events = { placed: storedEvent(z.object({}), { schema: 2, upcast: { 1: upcast } }) }
    expect(() => readStored(events, 'placed', 1, {}, place)).toThrow(`gave ${_}`)
  })
})

describe('a definition is refused', () => {
  const events = { placed: storedEvent(z.object({})) }
  const evolve = (): number => 1
  it.each([
    ['a schema without its upcasters', () => storedEvent(z.object({}), { schema: 3, upcast: { 2: (old) => old } }), 'needs upcast 1'],
    [
      'an upcaster from nowhere',
      () => storedEvent(z.object({}), { schema: 2, upcast: { 1: (old) => old, 2: (old) => old } }),
      'upcast 2 leads',
    ],
    ['a schema that is no number of one', () => storedEvent(z.object({}), { schema: 0 }), 'schema 0'],
    ['data that JSON cannot hold', () => storedEvent(z.object({ at: z.date() })), 'Date'],
    ['a stream without events', () => stream('empty', { events: {}, initial: 0, evolve }), 'declares no events'],
    ['a name that is none', () => stream('Order 1', { events, initial: 0, evolve }), 'name'],
    ['a snapshot of nothing', () => stream('order', { events, initial: 0, evolve, snapshotEvery: 0 }), 'snapshotEvery'],
    [
      'a snapshot of what JSON cannot hold',
      () => stream('order', { events, initial: { seen: new Set<string>() }, evolve: (state) => state, snapshotEvery: 5 }),
      'seen is a Set',
    ],
  ])('%s', (_, define, message) => expect(define).toThrow(message))

  it('a state cannot be changed in passing', () => {
    const careless = stream('careless', {
      events,
      initial: { list: [] as string[] },
      evolve(state) {
        state.list.push('x')
        return state
      },
    })
    expect(() => careless.evolve(careless.initial, { type: 'placed', data: {} })).toThrow('not extensible')
    expect(careless.initial.list).toEqual([])
  })
})
