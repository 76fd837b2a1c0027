import { service, system, using } from 'skerry'
/**
 * Deadlines, retries and their budget, circuit breakers and limits once more, over real sockets: between the client and the service is a
 * network that delays, cuts and swallows. What passes on a virtual clock must not be a matter of the virtual clock.
 */
import { createClient, Dependency } from 'skerry/client'
import type { DependencyPolicies } from 'skerry/client'
import { contract, get, post } from 'skerry/contract'
import { createLog, readConfiguration, select, startHost } from 'skerry/runtime'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { seededRandom } from '../../packages/skerry/src/base/random.ts'
import { httpLink } from '../../packages/skerry/src/http/http-link.ts'
import { freePort } from '../services/free-port.ts'
import { TcpProxy } from '../services/tcp-proxy.ts'
import { waitUntil } from '../services/wait-until.ts'
import { SkippingClock } from './skipping-clock.ts'

const stock = contract('stock', {
  version: '1.0.0',
  operations: {
    find: get('/stock', { output: z.int(), deadline: '1s' }),
    adjust: post('/stock', { output: z.int(), deadline: '10s' }),
    wait: get('/wait', { output: z.int(), deadline: '10s' }),
  },
})
const OPEN_MS = 30_000
/** More than half of the operation's own time: who waits that long learns something. */
const PATIENT = '600ms'
/** For what is to succeed on a machine that is busy. */
const UNHURRIED = { deadline: '10s' } as const

let asked = 0
let waiting: AbortSignal[] = []
const implementation = service(stock).implement({
  find: async () => ++asked,
  adjust: async () => ++asked,
  wait({ signal }) {
    waiting.push(signal)
    return new Promise(() => undefined)
  },
})
let host: Awaited<ReturnType<typeof startHost>>

beforeAll(async () => {
  const definition = system('stock', { services: [implementation] })
  const selection = select(definition, [])
  host = await startHost({
    system: definition,
    selection,
    configuration: {
      ...(await readConfiguration(definition, selection, { STOCK_PORT: String(await freePort()) })),
      drainMs: 0,
      graceMs: 0,
    },
    engines: { database: () => Promise.reject(new Error('unused')), broker: () => Promise.reject(new Error('unused')) },
    log: createLog({ level: 'silent' }),
  })
})
afterAll(async () => host?.stop())
beforeEach(() => {
  asked = 0
  waiting = []
})

/** A client whose way to the service can be broken. */
async function connected(policies: DependencyPolicies<typeof stock> = {}) {
  const url = new URL(host.serviceUrls.get('stock')!)
  const proxy = await TcpProxy.start({ host: url.hostname, port: Number(url.port) })
  const clock = new SkippingClock()
  const random = seededRandom(1)
  const link = httpLink({ baseUrl: proxy.through(url.href), clock })
  onTestFinished(async () => {
    await link.close()
    await proxy.close()
  })
  const requests = { count: 0 }
  proxy.onClientBytes = () => {
    requests.count++
    return 'forward'
  }
  const dependency = new Dependency({ clock, random }, [{ id: 'one', link }])
  return { proxy, clock, requests, call: createClient(stock, { dependency, clock, random, using: using(stock, policies) }) }
}

describe('a deadline', () => {
  test('ends the waiting for a network that swallows everything, and for a service that never answers, which is told', async () => {
    const { proxy, call } = await connected()
    const late = { ok: false, error: { code: 'deadlineExceeded', data: { timing: [{ outcome: 'waiting' }] } } }
    expect(await call.wait.try({}, { deadline: '200ms' })).toMatchObject(late)
    await waitUntil('the handler is told', 10_000, async () => waiting[0]?.aborted === true || undefined)
    proxy.blackHole = true
    expect(await call.find.try({}, { deadline: '200ms' })).toMatchObject(late)
    expect(proxy.swallowedBytes).toBeGreaterThan(0)
  })

  test('leaves time for a network that is slow', async () => {
    const { proxy, call } = await connected()
    proxy.delayMs = 100
    expect(await call.find.try()).toMatchObject({ ok: true })
    expect(await call.find.try({}, { deadline: '50ms' })).toMatchObject({ ok: false, error: { code: 'deadlineExceeded' } })
  })
})

describe('a call whose connection is cut', () => {
  test.each(['cut before', 'cut within', 'cut after'] as const)(
    '%s it is answered is made again when it only reads, and only then',
    async (verdict) => {
      const { proxy, call } = await connected()
      let cuts = 2
      proxy.onClientBytes = () => (cuts-- > 0 && cuts % 2 === 1 ? verdict : 'forward')
      expect(await call.find.try()).toMatchObject({ ok: true })
      cuts = 2
      expect(await call.adjust.try()).toMatchObject({ ok: false, error: { code: 'unavailable' } })
    },
  )

  test('before it was made, is made again whatever it does', async () => {
    const { proxy, call } = await connected({
      retry: { attempts: 1_000, backoff: '5ms..5ms' },
      breaker: { failures: 1_000, failureRate: 1 },
    })
    await proxy.vanish()
    const refused = call.adjust.try({}, { deadline: '20ms' })
    expect(await refused).toMatchObject({ ok: false })
    expect(asked).toBe(0)
    const patient = call.adjust.try()
    await proxy.appear()
    expect(await patient).toMatchObject({ ok: true })
    expect(asked).toBe(1)
  })
})

describe('the circuit breaker', () => {
  test.each([
    ['cuts every connection', (proxy: TcpProxy) => (proxy.refusing = true)],
    ['swallows everything', (proxy: TcpProxy) => (proxy.blackHole = true)],
  ])('of a network that %s opens, is asked nothing for 30 s, and closes when it is back', async (_what, destroy) => {
    const { proxy, clock, call, requests } = await connected({ retry: { attempts: 1 }, operations: { find: { deadline: PATIENT } } })
    expect(await call.find.try({}, UNHURRIED)).toMatchObject({ ok: true })
    destroy(proxy)
    proxy.cut()
    for (let made = 0; made < 5; made++) expect(await call.find.try()).toMatchObject({ ok: false })
    const [seen, connections] = [requests.count, proxy.accepted]
    for (let made = 0; made < 100; made++) expect(await call.find.try()).toMatchObject({ ok: false, error: { code: 'unavailable' } })
    expect([requests.count, proxy.accepted]).toEqual([seen, connections])
    proxy.refusing = false
    proxy.blackHole = false
    proxy.cut()
    clock.skip(OPEN_MS)
    expect(await call.find.try({}, UNHURRIED)).toMatchObject({ ok: true })
    expect(await call.find.try({}, UNHURRIED)).toMatchObject({ ok: true })
  })
})

describe('in an outage', () => {
  test('a dead service is asked no more than the circuit breaker and its probes allow', async () => {
    const { proxy, call } = await connected()
    proxy.refusing = true
    for (let made = 0; made < 200; made++) await call.find.try()
    expect(proxy.accepted).toBeLessThanOrEqual(5)
  })

  test('retries are at most a fifth of the calls and ten a second, when no circuit breaker is in the way', async () => {
    const { proxy, call } = await connected({ breaker: { failures: 10_000, failureRate: 1 } })
    let requests = 0
    // Answers in between keep it closed.
    proxy.onClientBytes = () => (++requests % 4 === 0 ? 'forward' : 'cut after')
    const CALLS = 1_500
    const callAll = async (): Promise<void> => {
      for (let made = 0; made < CALLS / 10; made++) await call.find.try({}, UNHURRIED)
    }
    await Promise.all(Array.from({ length: 10 }, callAll))
    expect(requests - CALLS).toBeGreaterThan(CALLS * 0.15)
    expect(requests - CALLS).toBeLessThanOrEqual(CALLS * 0.2 + 10 * 10)
  })
})

describe('the limit of calls at once', () => {
  test('keeps those that hang from taking more than their share, and has room again when they are over', async () => {
    const { proxy, call } = await connected({ operations: { wait: { maxConcurrent: 5, retry: { attempts: 1 } } } })
    const hanging = Array.from({ length: 5 }, () => call.wait.try())
    await waitUntil('five hang', 10_000, async () => waiting.length === 5 || undefined)
    for (let made = 0; made < 50; made++) expect(await call.wait.try()).toMatchObject({ ok: false, error: { code: 'overloaded' } })
    expect(waiting).toHaveLength(5)
    // The others go on as if nothing was.
    expect(await call.find.try()).toMatchObject({ ok: true })
    proxy.cut()
    for (const answer of await Promise.all(hanging)) expect(answer).toMatchObject({ ok: false, error: { code: 'unavailable' } })
    expect(await call.find.try()).toMatchObject({ ok: true })
  })
})
