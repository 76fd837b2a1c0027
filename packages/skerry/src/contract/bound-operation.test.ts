import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { SkerryError } from '../base/errors.ts'
import { boundOperations } from './bound-operation.ts'
import { contract } from './contract.ts'
import { get, post } from './operation.ts'

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
})
