import { expect, test } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import { ADAPTIVE_LIMIT_DEFAULTS } from '../resilience/adaptive-limit.ts'
import { Admission } from '../resilience/admission.ts'
import { createLog } from '../telemetry/log.ts'
import type { IncomingHttpMessage } from './server.ts'
import { httpAnswerer } from './server.ts'

/** One request at a time is handled, and each until it is let go. */
function oneAtATime(forPeers = false) {
  const clock = new VirtualClock()
  const handled: { readonly waitedMs: number; readonly end: () => void }[] = []
  const answer = httpAnswerer({
    routes: [
      {
        method: 'GET',
        path: '/',
        target: {
          takesBody: false,
          priority: 'normal',
          deadlineMs: 1_000,
          handle: ({ waitedMs }) =>
            new Promise((resolve) => handled.push({ waitedMs, end: () => resolve({ status: 204, body: undefined }) })),
        },
      },
    ],
    admission: new Admission(clock, { limit: { ...ADAPTIVE_LIMIT_DEFAULTS, initial: 1, min: 1, max: 1 }, maxWaitMs: 100 }),
    forPeers,
    clock,
    log: createLog({ level: 'silent' }),
  })
  const request = (signal = new AbortController().signal, headers = {}) =>
    answer({
      method: 'GET',
      url: '/',
      isOfVersion11: true,
      headers: { host: 'here', ...headers },
      readBody: async () => undefined,
      signal: () => signal,
    } satisfies IncomingHttpMessage)
  return { clock, handled, request }
}

test('a request whose client has gone while it waited for its turn is not handled', async () => {
  const { handled, request } = oneAtATime()
  const gone = new AbortController()
  const first = request()
  const second = request(gone.signal)
  const third = request()
  await expect.poll(() => handled.length).toBe(1)
  gone.abort()
  handled[0]!.end()
  expect([(await first).status, (await second).status]).toEqual([204, 503])
  await expect.poll(() => handled.length).toBe(2)
  handled[1]!.end()
  expect((await third).status).toBe(204)
})

test('a request knows how long it has waited, and too many are told when to come back', async () => {
  const { clock, handled, request } = oneAtATime()
  const answers = Array.from({ length: 12 }, () => request())
  await expect.poll(() => handled.length).toBe(1)
  const refused = await answers.at(-1)!
  expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '1' }, body: { code: 'overloaded' } })
  await clock.advance(40)
  handled[0]!.end()
  await expect.poll(() => handled.length).toBe(2)
  expect(handled.map(({ waitedMs }) => waitedMs)).toEqual([0, 40])
  for (let index = 1; index < 9; index++) {
    handled[index]!.end()
    await expect.poll(() => handled.length).toBe(Math.min(9, index + 2))
  }
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([...Array.from({ length: 9 }, () => 204), 503, 503, 503])
})

test.each([
  ['a peer, who is believed, is refused at once', true, 503],
  ['a client outside, who is not, has his turn', false, 204],
])('a request that says it waits no longer, of %s', async (_who, forPeers, status) => {
  const { handled, request } = oneAtATime(forPeers)
  const first = request()
  const hurried = request(undefined, { 'grpc-timeout': '1m' })
  const hurriedToo = request(undefined, { 'x-envoy-expected-rq-timeout-ms': '1' })
  for (let index = 0; index < (forPeers ? 1 : 3); index++) {
    await expect.poll(() => handled.length).toBe(index + 1)
    handled[index]!.end()
  }
  expect((await first).status).toBe(204)
  expect([(await hurried).status, (await hurriedToo).status]).toEqual([status, status])
})
