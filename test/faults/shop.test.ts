/**
 * The whole shop, every service in a process of its own on a PostgreSQL database of its own, RabbitMQ between them, the gateway apart and
 * the payment provider outside. While customers shop, each service is killed at every crash point that it passes, several services at the
 * same time. A life begins with the next point armed, so that recovery dies too. Afterwards nothing is lost, nothing has happened twice, and
 * nothing is stuck.
 */
import { CRASH_POINTS } from 'skerry/runtime'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { shop as system } from '../../shop/system.ts'
import { waitUntil } from '../services/wait-until.ts'
import type { Deaths } from '../topologies/deaths.ts'
import { dieAtEach, dieOnce } from '../topologies/deaths.ts'
import { shop } from '../topologies/shop-suite.ts'
import { startApart } from '../topologies/topology.ts'
import type { Provider } from './provider.ts'
import { startProvider } from './provider.ts'
import type { OpenShop } from './shop-at-rest.ts'
import { openShop } from './shop-at-rest.ts'
import type { CrashPoint } from './shop-points.ts'
import { ELSEWHERE, idleExceptions, pointsOf } from './shop-points.ts'
import { Shoppers } from './shoppers.ts'

const TEST_MS = 900_000
/** Of a life, until it passes its point. The rarest is work that is done once a minute. */
const LIFE_MS = 400_000
const SETTLE_MS = 180_000
/** Not at the first pass, so that work is under way all around; but of these there are few. */
const PASSES: Readonly<Record<string, number>> = { default: 3, 'inbox.attempt-counted': 1, 'later.before-commit': 1 }
/** What payments hears of is its own, and seldom. */
const passesOf = (service: string, point: CrashPoint): number =>
  service === 'payments' && point.startsWith('inbox.') ? 1 : (PASSES[point] ?? PASSES['default']!)
/** Nothing happens here unless somebody else is down: see its own test. */
const PROVOKED: CrashPoint = 'inbox.failure-recorded'

/** Those that a checkout needs all the time come last: while they die every few seconds it hardly comes to the others. */
const WAVES = [shop.services.filter((service) => service !== 'inventory' && service !== 'orders'), ['inventory', 'orders']]

vi.setConfig({ testTimeout: TEST_MS })

let provider: Provider
let running: Awaited<ReturnType<typeof startApart>>
let opened: OpenShop
let shoppers: Shoppers
let shopping: Promise<void>
let deaths: Map<string, Deaths<CrashPoint>>

beforeAll(async () => {
  provider = await startProvider()
  const breakers = new URL('./eager-breakers.ts', import.meta.url).href
  running = await startApart({ ...shop, env: { ...provider.env, NODE_OPTIONS: `--import ${breakers}` } })
  opened = await openShop(running.databases.urls)
  const { gatewayUrl, serviceUrls } = running
  await provider.sendWebhooksTo(`${serviceUrls['payments']!}/webhooks/provider`)
  shoppers = new Shoppers({ gatewayUrl, serviceUrls })
  shopping = shoppers.run()
  deaths = new Map()
  for (const [index, wave] of WAVES.entries()) {
    const before = Promise.all((WAVES[index - 1] ?? []).map((service) => deaths.get(service)!.all))
    for (const service of wave) deaths.set(service, dieEverywhere(service, before))
  }
}, TEST_MS)

afterAll(async () => {
  shoppers?.close()
  await opened?.[Symbol.asyncDispose]()
  await running?.[Symbol.asyncDispose]()
  await provider?.[Symbol.asyncDispose]()
}, TEST_MS)

function dieEverywhere(service: string, after: Promise<unknown>): Deaths<CrashPoint> {
  return dieAtEach({
    host: service,
    points: pointsOf(service, system).filter((point) => point !== PROVOKED),
    passes: (point) => passesOf(service, point),
    launch: async (armed) => {
      // Its first life ends in order, so that the others find what it has compiled.
      await running.host(service).stop()
      return running.launch(service, armed)
    },
    restart: () => running.restart(service),
    lifeMs: LIFE_MS,
    after,
  })
}

const CASES = shop.services.flatMap((service) =>
  pointsOf(service, system)
    .filter((point) => point !== PROVOKED)
    .map((point) => ({ service, point })),
)

test.each(CASES)('$service killed at $point', ({ service, point }) => expect(deaths.get(service)!.at(point)).resolves.toBeUndefined())

test('the gateway, which passes none, killed whenever it comes', async () => {
  for (let life = 0; life < 3; life++) await running.restart('gateway')
})

test(`notifications killed at ${PROVOKED}, because a mail cannot be written while users is down`, async () => {
  await Promise.all([...deaths.values()].map(({ all }) => all))
  const armed = { SKERRY_CRASH_AT: `${PROVOKED}:1` }
  await dieOnce(await running.launch('notifications', armed), `notifications passes ${PROVOKED}`, LIFE_MS, async () => {
    await running.restart('users')
    await shoppers.callsOff()
    await running.host('users').kill()
  })
  await Promise.all([running.restart('users'), running.restart('notifications')])
})

test('each crash point of the platform is passed by some service, or it is said why not', () => {
  const passed = new Set(shop.services.flatMap((service) => pointsOf(service, system)))
  expect(CRASH_POINTS.filter((point) => !passed.has(point)).toSorted()).toEqual(Object.keys(ELSEWHERE).toSorted())
  expect(idleExceptions(system)).toEqual([])
})

test('afterwards every order has come to its end, every invariant holds, and nothing is stuck', async () => {
  shoppers.close()
  await shopping
  const { acknowledged, refused } = shoppers
  let last: readonly string[] = []
  await waitUntil(
    'nothing is wrong with the shop',
    SETTLE_MS,
    async () =>
      (last = await opened.findings(await provider.book(), { now: new Date(), acknowledged, refused })).length === 0 ? true : undefined,
    async () => last.join('\n'),
  )
  expect(acknowledged.length).toBeGreaterThan(100)
  expect(refused.length).toBeGreaterThan(0)
})
