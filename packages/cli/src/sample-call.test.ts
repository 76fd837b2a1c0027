import { get, post, put } from 'skerry/contract'
import type { Schema } from 'skerry/contract'
import { describe, expect, test } from 'vitest'
import { curlCommand, sampleCall, sampleOf } from './sample-call.ts'

describe('a sample value', () => {
  test('has what is required and no more', () => {
    const schema = {
      type: 'object',
      required: ['name', 'email', 'age', 'tags', 'kind', 'address', 'active'],
      properties: {
        name: { type: 'string', minLength: 1 },
        nickname: { type: 'string' },
        email: { type: 'string', format: 'email' },
        age: { type: 'integer', minimum: 18, maximum: 99 },
        tags: { type: 'array', minItems: 2, items: { type: 'string', maxLength: 3 } },
        kind: { enum: ['person', 'company'] },
        address: { anyOf: [{ $ref: '#/$defs/Address' }, { type: 'null' }] },
        active: { type: 'boolean' },
      },
      $defs: { Address: { type: 'object', required: ['street'], properties: { street: { type: 'string' } } } },
    }
    expect(sampleOf(schema)).toEqual({
      name: 'Ann',
      email: 'ann@example.com',
      age: 18,
      tags: ['tag', 'tag'],
      kind: 'person',
      address: { street: 'street' },
      active: true,
    })
  })

  test.each([
    [{ type: 'integer', minimum: -9_007_199_254_740_991, maximum: 9_007_199_254_740_991 }, 1],
    [{ type: 'number', exclusiveMinimum: 0 }, 1],
    [{ type: 'integer', exclusiveMinimum: 4 }, 5],
    [{ type: 'number', multipleOf: 0.25, minimum: 0.6 }, 0.75],
    [{ type: 'integer', maximum: -3 }, -3],
    [{ type: 'string', minLength: 6 }, 'textxx'],
    [{ type: ['string', 'null'] }, 'text'],
    [{ const: 7 }, 7],
    [{ type: 'string', examples: ['this one'], enum: ['not this'] }, 'this one'],
    [{}, null],
  ])('%j → %j', (schema, value) => {
    expect(sampleOf(schema)).toEqual(value)
  })

  test('of a schema that contains itself ends', () => {
    const tree = { type: 'object', required: ['child'], properties: { child: { $ref: '#' } } }
    expect(JSON.stringify(sampleOf(tree)).length).toBeLessThan(200)
  })
})

/** Accepts what `accepts` does, and describes itself as `json`. */
function schema(json: Record<string, unknown>, accepts: (value: unknown) => boolean): Schema {
  const description = () => json
  return {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value) => (accepts(value) ? { value } : { issues: [{ message: 'refused' }] }),
      jsonSchema: { input: description, output: description },
    },
  }
}

const anything = schema({ type: 'object', required: ['id'], properties: { id: { type: 'integer' } } }, () => true)
const nothing = schema({ type: 'object' }, () => false)

describe('a sample call', () => {
  test('is the first operation that needs nothing to exist', async () => {
    const operations = [
      get('/users/{id}', { input: anything as Schema<{ id: number }> }),
      put('/users', { input: anything }),
      post('/users', { input: anything }),
      get('/users'),
    ]
    expect(await sampleCall(operations)).toEqual({ path: '/users', body: { id: 1 } })
    expect(await sampleCall(operations.slice(3))).toEqual({ path: '/users' })
  })

  test('is never one whose schema would refuse it', async () => {
    expect(await sampleCall([post('/users', { input: nothing }), get('/search', { input: nothing }), get('/users')])).toEqual({
      path: '/users',
    })
    expect(await sampleCall([post('/users', { input: nothing })])).toBeUndefined()
  })

  test('is typed into a shell as it is, whatever is in it', () => {
    expect(curlCommand('http://127.0.0.1:8080', { path: '/users' })).toBe('curl http://127.0.0.1:8080/users')
    expect(curlCommand('http://127.0.0.1:8080', { path: '/users', body: { name: `O'Neill` } })).toBe(
      `curl http://127.0.0.1:8080/users -H 'content-type: application/json' -d '{"name":"O'\\''Neill"}'`,
    )
  })
})
