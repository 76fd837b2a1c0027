import { registryConformance } from 'skerry/conformance'
import type { Registry, RegistryEngine, RegistryStatus, ServiceAddress } from 'skerry/engine'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { EtcdServer } from '../../../test/services/etcd.ts'
import { startEtcd } from '../../../test/services/etcd.ts'
import { TcpProxy } from '../../../test/services/tcp-proxy.ts'
import { etcd } from './index.ts'

/** Shorter ones etcd makes longer by itself. */
const leaseMs = 2_000

describe('conformance', () => {
  const engine = etcd({ url: process.env['SKERRY_TEST_ETCD_URL']!, leaseMs })
  test.each(registryConformance)('$name', async (promise) => {
    await expect(promise.run({ engine, leaseMs })).resolves.toBeUndefined()
  })

  describe('when every list is followed for a moment only', () => {
    const impatient = etcd({ url: process.env['SKERRY_TEST_ETCD_URL']!, leaseMs, relistMs: 20 })
    test.each(registryConformance)('$name', async (promise) => {
      await expect(promise.run({ engine: impatient, leaseMs })).resolves.toBeUndefined()
    })
  })
})

let server: EtcdServer
let proxy: TcpProxy
let engine: RegistryEngine
const registries: Registry[] = []
beforeAll(async () => {
  server = await startEtcd()
  const { hostname, port } = new URL(server.url)
  proxy = await TcpProxy.start({ host: hostname, port: Number(port) })
  engine = etcd({ url: proxy.through(server.url), leaseMs, maxReconnectDelayMs: 500 })
})
afterEach(async () => {
  await Promise.all(registries.splice(0).map((registry) => registry.close()))
})
afterAll(async () => {
  await proxy.close()
  await server.close()
})

async function open(told: RegistryStatus[] = []): Promise<Registry> {
  const registry = await engine.open({ onStatus: (status) => told.push(status) })
  registries.push(registry)
  return registry
}

function seenBy(registry: Registry, service: string): (readonly ServiceAddress[])[] {
  const seen: (readonly ServiceAddress[])[] = []
  registry.watch(service, (list) => seen.push(list))
  return seen
}

const one = { id: 'one', url: 'http://127.0.0.1:1' }
const two = { id: 'two', url: 'http://127.0.0.1:2' }
const last = (seen: (readonly ServiceAddress[])[]) =>
  seen
    .at(-1)
    ?.map(({ id }) => id)
    .toSorted()
    .join()

test('an etcd that is killed and comes back without its data is told anew; meanwhile nothing is told', async () => {
  const told: RegistryStatus[] = []
  const registry = await open(told)
  const seen = seenBy(registry, 'users')
  await registry.register!('users', one).held
  await expect.poll(() => last(seen)).toBe('one')
  const lists = seen.length
  await server.kill()
  await expect.poll(() => registry.status().up).toBe(false)
  expect(seen.length).toBe(lists)
  expect(told).toHaveLength(1)
  await server.forget()
  await server.start()
  await expect.poll(() => registry.status()).toEqual({ up: true })
  await expect.poll(() => seen.length > lists && last(seen)).toBe('one')
})

test('one that is down at start is connected to when it comes up', async () => {
  await server.kill()
  const registry = await open()
  const seen = seenBy(registry, 'orders')
  const registration = registry.register!('orders', one)
  await expect.poll(() => registry.status().up).toBe(false)
  await server.start()
  await registration.held
  await expect.poll(() => last(seen)).toBe('one')
})

test('a lease that was lost is taken again, under the same id', async () => {
  const registry = await open()
  const other = seenBy(await engineBeside().open({}).then(remember), 'payments')
  await registry.register!('payments', one).held
  await expect.poll(() => last(other)).toBe('one')
  proxy.refusing = true
  proxy.cut()
  await expect.poll(() => last(other)).toBe('')
  proxy.refusing = false
  await expect.poll(() => last(other)).toBe('one')
})

test('who withdraws while etcd is away does not wait for it for long', async () => {
  const registry = await open()
  const registration = registry.register!('reviews', two)
  await registration.held
  proxy.refusing = true
  proxy.cut()
  await registration.withdraw()
  proxy.refusing = false
})

test.each(['http://etcd:2379', 'etcd://', 'etcd'])('%s is no URL of an etcd', (url) => {
  expect(() => etcd({ url })).toThrow(/etcd:\/\/<host>:2379/)
})

function engineBeside(): RegistryEngine {
  return etcd({ url: server.url, leaseMs })
}

function remember(registry: Registry): Registry {
  registries.push(registry)
  return registry
}
