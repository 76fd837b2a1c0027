import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { SkerryError } from '../base/errors.ts'
import { boundOperations } from './bound-operation.ts'
import { contract } from './contract.ts'
import type { EventDeclaration } from './event.ts'
import { event } from './event.ts'
import { get, post } from './operation.ts'
import type { Schema } from './schema.ts'

describe('boundOperations', () => {
  it('gives each operation its full name and its HTTP binding, once', () => {
    const shop = contract('shop', {
      version: '1.0.0',
      operations: { list: get('/items'), add: post('/items', { input: z.object({ name: z.string() }) }) },
    })
    const bound = boundOperations(shop)
    expect([...bound.keys()]).toEqual(['list', 'add'])
    expect(bound.get('add')).toMatchObject({
      contract: 'shop',
      name: 'add',
      fullName: 'shop.add',
      operation: shop.operations.add,
      http: { hasBody: true },
    })
    expect(boundOperations(shop)).toBe(bound)
  })

  it('says of all operations at once what cannot be carried', () => {
    const shop = contract('shop', {
      version: '1.0.0',
      operations: {
        fine: get('/fine'),
        search: get('/items', { input: z.object({ filter: z.object({}) }) }),
        report: get('/report', { output: z.date() }),
      },
    })
    expect(() => boundOperations(shop)).toThrow(
      new SkerryError(
        'contractInvalid',
        'shop.search: the field "filter" is an object, which a query cannot carry\nshop.report: its output cannot be described as JSON Schema: Date cannot be represented in JSON Schema',
      ),
    )
  })

  it('says which events cannot be carried or put in order', () => {
    const id = z.string()
    const unchecked = (data: Schema, key: string): EventDeclaration => ({ ...event(z.object({ id }), { key: 'id' }), data, key })
    const shop = contract('shop', {
      version: '1.0.0',
      operations: {},
      events: {
        fine: event(z.object({ id, at: z.iso.datetime(), note: z.string().default('') }), { key: 'id' }),
        defaulted: event(z.object({ id: z.string().default('all') }), { key: 'id' }),
        union: event(z.union([z.object({ id, a: z.int() }), z.object({ id: z.int() })]), { key: 'id' }),
        dated: unchecked(z.object({ id, at: z.date() }), 'id'),
        keyless: unchecked(z.object({ id }), 'orderId'),
        optional: unchecked(z.object({ id: id.optional() }), 'id'),
        list: unchecked(z.array(id), 'length'),
        nullable: unchecked(z.object({ id: id.nullable() }), 'id'),
        anything: unchecked(z.object({ id: z.unknown() }), 'id'),
      },
    })
    expect(() => boundOperations(shop)).toThrow(
      new SkerryError(
        'contractInvalid',
        [
          'shop.dated: its data cannot be described as JSON Schema: Date cannot be represented in JSON Schema',
          'shop.keyless: its data must be an object that always has the ordering key "orderId"',
          'shop.optional: its data must be an object that always has the ordering key "id"',
          'shop.list: its data must be an object that always has the ordering key "length"',
          'shop.nullable: the ordering key "id" must be text or a number',
          'shop.anything: the ordering key "id" must be text or a number',
        ].join('\n'),
      ),
    )
  })
})
