/** The one process of a system with an embedded database and broker is killed at every crash point of placing an order and of consuming its events. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { freePort } from '../services/free-port.ts'
import type { Deaths } from '../topologies/deaths.ts'
import { dieAtEach } from '../topologies/deaths.ts'
import { launchHost, startHost } from '../topologies/host.ts'
import type { CrashPoint } from './crash-points.ts'
import { ALL_LIVES_MS, CRASH_POINTS, LIFE_MS, passesOf, SYSTEM } from './crash-points.ts'
import type { Addresses } from './workload.ts'
import { Workload } from './workload.ts'

vi.setConfig({ testTimeout: ALL_LIVES_MS })

let data: string
let env: Readonly<Record<string, string>>
let at: Addresses
let deaths: Deaths<CrashPoint>
let placing: Promise<void>
const workload = new Workload({ pauseMs: 200 })

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'skerry-crash-'))
  env = { SKERRY_DATA: data, PORT: String(await freePort()) }
  at = { orders: `http://127.0.0.1:${env['PORT']}`, notifications: `http://127.0.0.1:${env['PORT']}` }
  // A life that ends in order leaves to the others what it has compiled.
  await (await startHost({ system: SYSTEM, env })).stop()
  deaths = dieAtEach({
    host: 'the host',
    points: CRASH_POINTS,
    passes: passesOf,
    launch: (armed) => launchHost({ system: SYSTEM, env: { ...env, ...armed } }),
    restart: () => startHost({ system: SYSTEM, env }),
    lifeMs: LIFE_MS,
  })
  placing = workload.run(at, deaths.all)
})
afterAll(async () => {
  await deaths?.[Symbol.asyncDispose]()
  await rm(data, { recursive: true, force: true })
})

test.each(CRASH_POINTS)('killed at %s', (point) => expect(deaths.at(point)).resolves.toBeUndefined())

test('afterwards every order that was acknowledged is there, and each is notified once, in order', async () => {
  await deaths.all
  await placing
  await workload.finish(at)
  await workload.verify(at)
  expect(workload.acknowledged).toBeGreaterThan(CRASH_POINTS.length)
})
