/** What goes wrong inside a service: outside nothing shows but a problem with a trace id, and the log has the cause under that id. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { send } from '../gateway/http-request.ts'
import { createSharedDatabase } from '../topologies/databases.ts'
import type { RunningHost } from '../topologies/host.ts'
import { startHost } from '../topologies/host.ts'

interface Inside {
  readonly name: string
  readonly env: () => Promise<{ readonly env: Readonly<Record<string, string>>; readonly dispose: () => Promise<void> }>
}

const insides: readonly Inside[] = [
  { name: 'embedded database', env: async () => ({ env: {}, dispose: async () => {} }) },
  {
    name: 'PostgreSQL, calls over HTTP',
    async env() {
      const database = await createSharedDatabase()
      return { env: { DATABASE_URL: database.url, SKERRY_WIRE: 'http' }, dispose: async () => database[Symbol.asyncDispose]() }
    },
  },
]

describe.each(insides)('$name', ({ env: prepare }) => {
  let host: RunningHost
  let dispose: () => Promise<void>
  beforeAll(async () => {
    const prepared = await prepare()
    dispose = prepared.dispose
    host = await startHost({ system: 'test/bad-input/careless-system.ts', env: { NOTES_PORT: '0', ...prepared.env } })
  })
  afterAll(async () => {
    await host?.[Symbol.asyncDispose]()
    await dispose?.()
  })
  const doors = () => [host.gatewayUrl, host.serviceUrls['notes']!]

  test.each([
    ['an output that breaks the contract', '/promise', /promiseText answered what its contract does not promise: text: /],
    ['a handler that throws', '/throw', /topsecret: no disk left/],
    ['a handler that throws text', '/throw-text', /topsecret/],
    ['a handler that throws nothing', '/throw-nothing', /throwNothing could not be answered/],
    ['a statement that the database refuses', '/break-statement', /column .*topsecret.* does not exist/],
    [
      'a declared problem with data of another type',
      '/fail',
      /failed with \\?"tooLate\\?" and data that its contract does not promise: hours: /,
    ],
  ])('%s: 500 that tells nothing, its cause in the log under the trace id of the answer', async (_what, path, cause) => {
    for (const door of doors()) {
      const answer = await send(door, 'GET', path)
      expect(answer.status).toBe(500)
      expect(answer.headers['content-type']).toBe('application/problem+json')
      const { traceId, ...rest } = answer.json as { traceId: string }
      expect(rest).toEqual({
        type: 'urn:problem:skerry:internal',
        title: 'Internal error',
        detail: 'Internal error',
        status: 500,
        code: 'internal',
      })
      expect(traceId).toMatch(/^[0-9a-f]{32}$/)
      const lines = (await host.output()).split('\n').filter((line) => line.includes(traceId))
      expect(lines.filter((line) => cause.test(line))).toHaveLength(1)
    }
  })

  test('text that the database cannot store is an answer, and the next request is served', async () => {
    for (const [index, door] of doors().entries()) {
      const nul = await send(door, 'POST', '/notes', { body: { id: 10 + index, text: 'a\0b' } })
      expect(nul.json).toMatchObject({ status: 500, code: 'internal', traceId: expect.any(String) as string })
      expect(nul.text).not.toMatch(/utf8|0x00|insert into|encoding/i)
      expect((await send(door, 'GET', `/notes/${10 + index}`)).status).toBe(404)
    }
  })

  test('a number beyond the column is an answer, and the next request is served', async () => {
    for (const door of doors()) {
      expect((await send(door, 'GET', '/notes/9007199254740991')).json).toMatchObject({ status: 500, code: 'internal' })
      expect((await send(door, 'GET', '/notes/99')).json).toMatchObject({ status: 404, code: 'noSuchNote' })
    }
  })

  test.each([
    ['emoji', '👩‍👩‍👧‍👦 🏴󠁧󠁢󠁳󠁣󠁴󠁿'],
    ['what looks like SQL', `'); drop table notes; --`],
    ['bidirectional controls and a byte order mark', '\u202Etxt\uFEFF'],
    ['noncharacters', '\uFFFF\u{10FFFF}'],
    ['what looks like JSON, HTML and a path', '{"__proto__":1}</script>../../etc/passwd%00'],
    ['nothing', ''],
  ])('%s is kept as it is', async (what, text) => {
    for (const [index, door] of doors().entries()) {
      const id = 1_000 + what.length * 2 + index
      expect((await send(door, 'POST', '/notes', { body: { id, text } })).json).toEqual({ id, text })
      expect((await send(door, 'GET', `/notes/${id}`)).json).toEqual({ id, text })
    }
  })

  test('half a surrogate pair, which no UTF-8 can hold, is kept as the replacement character', async () => {
    for (const [index, door] of doors().entries()) {
      const headers = { 'content-type': 'application/json' }
      const answer = await send(door, 'POST', '/notes', { body: `{"id":${20 + index},"text":"a\\ud800b"}`, headers })
      expect(answer.json).toEqual({ id: 20 + index, text: 'a\uFFFDb' })
    }
  })
})
