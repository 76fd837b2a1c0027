import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { compareContracts } from './compatibility/contract-compatibility.ts'
import { contractSnapshot } from './compatibility/snapshot.ts'
import { contract } from './contract.ts'
import { get } from './operation.ts'
import { jsonSchema } from './schema.ts'
import { personal, secret, sensitiveNames, sensitiveTexts } from './sensitive.ts'

interface Tree {
  readonly note?: string | undefined
  readonly children: readonly Tree[]
}
const Tree: z.ZodType<Tree> = z.object({ note: z.string().meta(personal).optional(), children: z.array(z.lazy(() => Tree)) })

function textsIn(schema: z.ZodType, value: unknown): readonly string[] {
  const found: string[] = []
  sensitiveTexts(schema, 'input')?.(value, (text) => found.push(text))
  return found
}

describe('sensitiveTexts', () => {
  it.each([
    ['a field', z.object({ email: z.email().meta(personal), id: z.int() }), { email: 'a@b.example', id: 1 }, ['a@b.example']],
    ['a secret', z.object({ token: z.string().meta(secret) }), { token: 't0k3n' }, ['t0k3n']],
    ['a number', z.object({ phone: z.int().meta(personal) }), { phone: 4915112345 }, ['4915112345']],
    [
      'everything in an object that is marked',
      z.object({ to: z.object({ a: z.string(), b: z.array(z.string()) }).meta(personal) }),
      { to: { a: 'x', b: ['y', 'z'] } },
      ['x', 'y', 'z'],
    ],
    ['elements of lists', z.array(z.object({ name: z.string().meta(personal) })), [{ name: 'Ann' }, { name: 'Bob' }], ['Ann', 'Bob']],
    ['alternatives', z.union([z.object({ mail: z.string().meta(personal) }), z.object({ id: z.int() })]), { mail: 'm' }, ['m']],
    ['optional and nullable fields', z.object({ a: z.string().meta(personal).nullish() }), { a: 'x' }, ['x']],
    ['values of a record', z.record(z.string(), z.object({ who: z.string().meta(personal) })), { k: { who: 'Ann' } }, ['Ann']],
    ['schemas that refer to themselves', Tree, { children: [{ note: 'x', children: [{ note: 'y', children: [] }] }] }, ['x', 'y']],
    [
      'what is wrong with the rest of a value',
      z.object({ email: z.email().meta(personal), id: z.int() }),
      { email: 'no address', id: 'no number' },
      ['no address'],
    ],
  ])('finds %s', (_what, schema, value, expected) => {
    expect([...new Set(textsIn(schema, value))]).toEqual(expected)
  })

  it('finds nothing in what is not marked, and does not even look', () => {
    expect(sensitiveTexts(z.object({ email: z.email() }), 'input')).toBeUndefined()
  })

  it.each([[undefined], [null], [3], ['text'], [[]], [{ email: null }], [{ email: { deep: [] } }]])('takes %j', (value) => {
    expect(() => textsIn(z.object({ email: z.email().meta(personal) }), value)).not.toThrow()
  })
})

it('looks once at each place, however many alternatives lead there', () => {
  interface Node {
    readonly kind: string
    readonly note?: string | undefined
    readonly child?: Node | undefined
  }
  const kinds = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'] as const
  const Node: z.ZodType<Node> = z.lazy(() =>
    z.union(
      kinds.map((kind) => z.object({ kind: z.literal(kind), note: z.string().meta(personal).optional(), child: Node.optional() })) as never,
    ),
  )
  let value: Node = { kind: 'h', note: 'deepest' }
  for (let depth = 0; depth < 12; depth++) value = { kind: 'h', child: value }
  const found: string[] = []
  sensitiveTexts(Node, 'input')!(value, (text) => found.push(text))
  expect([...new Set(found)]).toEqual(['deepest'])
  expect(found.length).toBeLessThan(100)
})

it('sensitiveNames gives the names of all marked fields, however deep', () => {
  const schema = z.object({
    id: z.int(),
    who: z.object({ email: z.email().meta(personal) }),
    tokens: z.array(z.string()).meta(secret),
    tree: Tree,
  })
  expect([...sensitiveNames(jsonSchema(schema, 'input'))].toSorted()).toEqual(['email', 'note', 'tokens'])
})

it('a mark changes nothing of what a contract promises', () => {
  const of = (name: z.ZodType) =>
    contractSnapshot(
      contract('people', {
        version: '1.0.0',
        owner: 'tests',
        operations: { find: get('/people/{id}', { input: z.object({ id: z.int() }), output: z.object({ name }) }) },
        events: {},
      }),
    )
  expect(compareContracts(of(z.string()), of(z.string().meta(personal)))).toMatchObject([{ kind: 'wording' }])
})
