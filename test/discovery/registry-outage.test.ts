/** Hosts behind an etcd that dies, forgets everything and comes back: those who know each other go on, and the registry is filled anew. */
import { etcd } from '@skerry/etcd'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { EtcdServer } from '../services/etcd.ts'
import { startEtcd } from '../services/etcd.ts'
import { request } from '../topologies/request.ts'
import type { Instance } from './coming-and-going.ts'
import { load, startCounter, startGateway, whoAnswered } from './coming-and-going.ts'

let server: EtcdServer
const held = new AsyncDisposableStack()
beforeAll(async () => {
  server = await startEtcd()
  held.defer(() => server.close())
})
afterAll(() => held.disposeAsync())

function options(name?: string, env: Readonly<Record<string, string>> = {}) {
  const engine = etcd({ url: server.url, leaseMs: 2_000, maxReconnectDelayMs: 300 })
  return { ...(name === undefined ? {} : { name }), engine, registryUrl: server.url, env }
}

function kept(instance: Instance): Instance {
  held.defer(() => instance.host.stop())
  return instance
}

const readiness = async ({ host }: Instance) => (await request('GET', `${host.gatewayUrl}/health/ready`)).body

test('a registry that is gone degrades and breaks nothing; when it is back without its memory, all are there again, and new ones too', async () => {
  const [gateway] = [
    kept(await startGateway(options())),
    kept(await startCounter(options('one'))),
    kept(await startCounter(options('two'))),
  ]
  await expect.poll(async () => (await request('GET', `${gateway.host.gatewayUrl}/count`)).status).toBe(200)
  const calls = load(gateway.host.gatewayUrl!)
  await expect.poll(() => whoAnswered(calls)).toEqual(['one', 'two'])
  expect(await readiness(gateway)).toMatchObject({ status: 'ready', checks: { registry: { status: 'up' } } })

  await server.kill()
  await expect.poll(() => readiness(gateway)).toMatchObject({ status: 'degraded', checks: { registry: { status: 'down' } } })
  await calls.more(200)
  // One that starts meanwhile is degraded and known to nobody.
  const three = kept(await startCounter(options('three')))
  expect((await request('GET', `${three.host.serviceUrls.get('counter')}/health/ready`)).body).toMatchObject({ status: 'degraded' })

  await server.forget()
  await server.start()
  await expect.poll(() => whoAnswered(calls)).toEqual(['one', 'three', 'two'])
  await expect.poll(() => readiness(gateway)).toMatchObject({ status: 'ready' })
  await calls.more(200)
  await calls.stop()
  expect(calls.failures).toEqual([])
  // Said once, whatever is tried meanwhile.
  expect(gateway.log.filter((line) => line.includes('The registry cannot be reached'))).toHaveLength(1)
})

test('instances of the same zone are called first', async () => {
  const east = { SKERRY_ZONE: 'east' }
  const [near, far] = [kept(await startCounter(options('near', east))), kept(await startCounter(options('far', { SKERRY_ZONE: 'west' })))]
  const gateway = kept(await startGateway(options(undefined, east)))
  const calls = load(gateway.host.gatewayUrl!)
  await calls.more(100)
  const before = far.additions()
  await calls.more(100)
  expect(far.additions()).toBe(before)
  await near.host.stop()
  await expect.poll(() => far.additions()).toBeGreaterThan(before)
  await calls.stop()
  expect(calls.failures).toEqual([])
})
