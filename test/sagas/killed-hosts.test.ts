/** Sagas whose host is killed at every named point of theirs, is paused until others take it for dead, or shares the work with another. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CRASH_POINTS } from 'skerry/runtime'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../services/free-port.ts'
import { waitUntil } from '../services/wait-until.ts'
import type { BrokerCorner } from '../topologies/broker.ts'
import { createBrokerCorner } from '../topologies/broker.ts'
import type { ServiceDatabases } from '../topologies/databases.ts'
import { createDatabases, query } from '../topologies/databases.ts'
import type { RunningHost } from '../topologies/host.ts'
import { startHost } from '../topologies/host.ts'
import type { Addresses } from './travellers.ts'
import { Travellers } from './travellers.ts'

const SYSTEM = 'test/sagas/fixtures/system.ts'
const TEST_MS = 180_000
const WAIT_MS = 60_000
const SAGA_POINTS = CRASH_POINTS.filter((point) => point.startsWith('saga.'))
/** Not at the first pass, so that other sagas are under way all around. */
const PASS = 5

let databases: ServiceDatabases
let broker: BrokerCorner
let flights: RunningHost
let hotels: RunningHost
let ports: Record<'trips' | 'flights' | 'hotels', number>
const url = (service: keyof typeof ports): string => `http://127.0.0.1:${ports[service]}`
const at = (): Addresses => ({ trips: url('trips'), flights: url('flights'), hotels: url('hotels') })

const start = (service: keyof typeof ports, env: Record<string, string> = {}): Promise<RunningHost> =>
  startHost({
    system: SYSTEM,
    services: [service],
    env: {
      PORT: String(ports[service]),
      DATABASE_URL: databases.urls[service]!,
      RABBITMQ_URL: broker.url,
      ...(service === 'trips' ? { FLIGHTS_URL: url('flights'), HOTELS_URL: url('hotels') } : {}),
      ...env,
    },
  })

beforeAll(async () => {
  databases = await createDatabases(['trips', 'flights', 'hotels'])
  broker = createBrokerCorner([])
  ports = { trips: await freePort(), flights: await freePort(), hotels: await freePort() }
  ;[flights, hotels] = await Promise.all([start('flights'), start('hotels')])
}, TEST_MS)
afterAll(async () => {
  for (const host of [flights, hotels]) await host?.[Symbol.asyncDispose]()
  await broker?.[Symbol.asyncDispose]()
  await databases?.[Symbol.asyncDispose]()
})

describe('killed', () => {
  const travellers = new Travellers()

  test.each(SAGA_POINTS)('at %s, every trip is booked whole or not at all', { timeout: TEST_MS }, async (point) => {
    await using armed = await start('trips', { SKERRY_CRASH_AT: `${point}:${PASS}` })
    await travellers.run(at(), armed.exited)
    expect(await armed.exited).toMatchObject({ signal: 'SIGKILL' })
    await using _host = await start('trips')
    await travellers.verify(at())
  })

  test('at any moment, in one process on its data directory', { timeout: TEST_MS }, async () => {
    const data = await mkdtemp(join(tmpdir(), 'skerry-sagas-'))
    const embedded = (env: Record<string, string> = {}): Promise<RunningHost> =>
      startHost({
        system: SYSTEM,
        env: { SKERRY_DATA: data, TRIPS_PORT: String(ports.trips), FLIGHTS_PORT: '0', HOTELS_PORT: '0', ...env },
      })
    const own = new Travellers()
    try {
      for (const point of ['saga.step-ran', 'saga.local-before-commit']) {
        await using armed = await embedded({ SKERRY_CRASH_AT: `${point}:${PASS}` })
        await own.run({ ...at(), trips: armed.serviceUrls['trips']! }, armed.exited)
      }
      await using host = await embedded()
      const { trips, flights: flightsUrl, hotels: hotelsUrl } = host.serviceUrls as unknown as Addresses
      await own.verify({ trips, flights: flightsUrl, hotels: hotelsUrl })
    } finally {
      await rm(data, { recursive: true, force: true })
    }
  })
})

describe('two hosts', () => {
  test('share the work, and when one is killed the other goes on with what it had begun', { timeout: TEST_MS }, async () => {
    const travellers = new Travellers()
    await using first = await start('trips')
    await using second = await start('trips', { PORT: '0' })
    const through = { ...at(), trips: second.serviceUrls['trips']! }
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    const running = Promise.all([travellers.run(at(), ended), travellers.run(through, ended)])
    await waitUntil('40 trips are booked', WAIT_MS, async () => (travellers.booked >= 40 ? true : undefined))
    await first.kill()
    end()
    await running
    await travellers.verify(through)
  })

  test('one that was paused until the other took over does no harm when it wakes', { timeout: TEST_MS }, async () => {
    const travellers = new Travellers()
    await using zombie = await start('trips')
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    const running = travellers.run(at(), ended)
    await waitUntil('20 trips are booked', WAIT_MS, async () => (travellers.booked >= 20 ? true : undefined))
    zombie.pause()
    end()
    await using other = await start('trips', { PORT: '0' })
    const through = { ...at(), trips: other.serviceUrls['trips']! }
    await waitUntil('nothing is left to do', WAIT_MS, async () => {
      const [row] = await query(databases.urls['trips']!, `select count(*)::int as open from trips.skerry_saga where ended_at is null`)
      return row!['open'] === 0 ? true : undefined
    })
    zombie.resume()
    await running
    await travellers.verify(through)
    await zombie.stop()
    await travellers.verify(through)
  })
})
