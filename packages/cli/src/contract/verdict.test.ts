/** What is said of a service against several releases. */
import { contract, del, event, get, post, service, system } from 'skerry'
import * as platform from 'skerry/runtime'
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { ReleaseFiles } from './release-files.ts'
import type { Verdict } from './verdict.ts'
import { judge } from './verdict.ts'

type Contract = Parameters<typeof contract>[1]
type Implemented = Parameters<typeof platform.releaseOf>[0]

function things(version: string, { operations, events = {} }: Pick<Contract, 'operations' | 'events'>): Implemented {
  const handlers = Object.fromEntries(Object.keys(operations).map((name) => [name, () => Promise.reject(new Error('not called'))]))
  return service(contract('things', { version, operations, events })).implement(handlers)
}

/** The last is the code, those before it were released. */
async function verdictOn(...versions: readonly Implemented[]): Promise<Verdict> {
  const released = new Map<string, platform.ServiceRelease>()
  for (const one of versions.slice(0, -1))
    released.set(one.contract.version, JSON.parse(platform.releaseText(await platform.releaseOf(one))) as platform.ServiceRelease)
  const files = {
    versions: async () => [...released.keys()],
    read: async (_: string, version: string) => released.get(version)!,
    acceptances: async () => [],
  } as unknown as ReleaseFiles
  const now = versions.at(-1)!
  return judge(now, { system: system('things', { services: [now] }), platform, files })
}

const A = z.object({ id: z.string() })
const one = { operations: { x: post('/x', { input: A, public: true }), y: del('/y/{id}', { input: A, public: true }) } }
const widened = { operations: { ...one.operations, x: post('/x', { input: A.extend({ n: z.int().optional() }), public: true }) } }
const broken = { operations: { ...one.operations, x: post('/x', { input: A.extend({ n: z.int() }), public: true }) } }

test.each<readonly [string, string, typeof one, string, readonly string[]]>([
  ['1.0.0', '1.0.0', one, '1.0.0', []],
  ['1.0.0', '1.1.0', widened, '1.1.0', []],
  ['1.0.0', '1.0.0', widened, '1.1.0', ['is still at 1.0.0: raise its version to 1.1.0']],
  ['1.0.0', '1.1.0-rc.1', widened, '1.1.0', []],
  ['1.0.0', '2.0.0', broken, '2.0.0', []],
  ['1.0.0', '2.0.0-rc.1', broken, '2.0.0', []],
  ['1.0.0', '1.1.0', broken, '2.0.0', ['breaks what relies on it', 'is still at 1.1.0: raise its version to 2.0.0']],
  ['2.0.0-rc.1', '2.0.0-rc.2', broken, '2.0.0-rc.2', []],
  ['2.0.0-rc.1', '2.0.0', broken, '2.0.0-rc.2', []],
  ['0.3.0', '0.4.0', broken, '0.4.0', []],
  ['0.3.0', '0.3.1', widened, '0.3.1', []],
  ['0.3.0', '0.3.1', broken, '0.4.0', ['breaks what relies on it', 'is still at 0.3.1: raise its version to 0.4.0']],
  ['1.1.0', '1.0.0', one, '1.1.0', ['is at 1.0.0, and 1.1.0 has been released already']],
])('%s was released; %s', async (before, version, now, needs, refusals) => {
  expect(await verdictOn(things(before, one), things(version, now))).toMatchObject({ needs, refusals })
})

test('clients outside are named, also by what is no longer there for them', async () => {
  const gone = await verdictOn(things('1.0.0', one), things('1.0.0', { operations: { x: one.operations.x } }))
  expect(gone.changes).toMatchObject([{ rule: 'operation-removed', breaks: ['clients outside'] }])
  const hidden = await verdictOn(
    things('1.0.0', one),
    things('1.0.0', { operations: { ...one.operations, y: del('/y/{id}', { input: A }) } }),
  )
  expect(hidden.changes).toMatchObject([{ rule: 'not-public', breaks: ['clients outside'] }])
})

test('everything at one place is told', async () => {
  const guarded = things('1.0.0', { operations: { ...one.operations, y: del('/y/{id}', { input: A, public: true, scopes: ['a', 'b'] }) } })
  expect((await verdictOn(things('1.0.0', one), guarded)).changes.map(({ message }) => message)).toEqual([
    'callers need the scope "a"',
    'callers need the scope "b"',
  ])
})

test('a field that was away and comes back as something else breaks those who knew it', async () => {
  const knew = (version: string, field: z.ZodType | undefined): Implemented => {
    const value = field === undefined ? A : A.extend({ n: field })
    return things(version, {
      operations: { x: get('/x', { input: value, public: true }) },
      events: { happened: event(value, { key: 'id' }) },
    })
  }
  const { changes } = await verdictOn(knew('1.0.0', z.string().optional()), knew('1.1.0', undefined), knew('1.2.0', z.int().optional()))
  expect(changes).toContainEqual(expect.objectContaining({ rule: 'input-type', path: '/n', since: '1.0.0', breaks: ['clients outside'] }))
  expect(changes).toContainEqual(expect.objectContaining({ rule: 'held-event-type', path: '/n', since: '1.0.0' }))
})
