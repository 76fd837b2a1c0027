import { describe, expect, it } from 'vitest'
import { contract, get } from '../contract/index.ts'
import { gateway } from '../gateway/index.ts'
import { service } from '../service/index.ts'
import type { HostConfiguration } from './configuration.ts'
import { readConfiguration } from './configuration.ts'
import { select, system } from './system.ts'

const users = contract('users', { version: '1.0.0', operations: { list: get('/users', { public: true }) } })
const orders = contract('orders', { version: '1.0.0', operations: { list: get('/orders', { public: true }) } })
const listens = contract('listens', { version: '1.0.0', operations: {} })
const shop = system('shop', {
  services: [
    service(users).implement({ list: async () => {} }),
    service(orders, { uses: { users } }).implement({ list: async () => {} }),
    service(listens).implement({}),
  ],
  gateway: gateway(),
})

function configurationOf(names: readonly string[], environment: Record<string, string>): Promise<HostConfiguration> {
  return readConfiguration(shop, select(shop, names), environment)
}

async function mistakesIn(names: readonly string[], environment: Record<string, string>): Promise<readonly string[]> {
  const error = await configurationOf(names, environment).then(
    () => undefined,
    (failure: unknown) => failure as Error,
  )
  return error?.message.split('\n').slice(1) ?? []
}

describe('where other services are', () => {
  it('is a URL, several, or a name', async () => {
    const peersOf = async (USERS_URL: string) => (await configurationOf(['orders'], { USERS_URL })).peers.get('users')
    expect(await peersOf('http://a:1')).toEqual({ kind: 'urls', urls: ['http://a:1'] })
    expect(await peersOf('http://a:1, https://b:2/users,http://a:1')).toEqual({ kind: 'urls', urls: ['http://a:1', 'https://b:2/users'] })
    expect(await peersOf('dns://users:80')).toMatchObject({ kind: 'dns', name: { kind: 'address', host: 'users', port: 80 } })
    expect(await peersOf('dns+srv://_http._tcp.users')).toMatchObject({ kind: 'dns', name: { kind: 'srv' } })
  })

  it('is found in the registry when nothing else is said, and there is no mistake', async () => {
    const configuration = await configurationOf(['orders', 'gateway'], { REGISTRY_URL: 'etcd://etcd:2379', USERS_URL: 'http://users:1' })
    expect([...configuration.peers.keys()]).toEqual(['users'])
    expect(configuration.registryUrl).toBe('etcd://etcd:2379')
  })

  it('is missing with a word about both ways to say it', async () => {
    expect(await mistakesIn(['orders'], {})).toEqual([expect.stringMatching(/USERS_URL is missing: orders calls it.*or REGISTRY_URL/)])
  })

  it('is told from what it cannot be, all mistakes together', async () => {
    const environment = {
      USERS_URL: 'http://a:1,ftp://b',
      ORDERS_URL: 'dns://orders',
      REGISTRY_URL: 'zookeeper://z',
      ADVERTISE_HOST: 'http://me:80',
    }
    expect(await mistakesIn(['gateway'], environment)).toEqual([
      expect.stringMatching(/REGISTRY_URL begins with zookeeper:.*etcd:\/\//),
      expect.stringMatching(/USERS_URL does not say where a service is: .*dns:\/\//),
      expect.stringMatching(/ORDERS_URL is "dns:\/\/orders": expected dns:\/\/<name>:<port>/),
      expect.stringMatching(/ADVERTISE_HOST is "http:\/\/me:80": .*without scheme and port/),
    ])
  })
})

describe('with a registry', () => {
  it('every service that can be called listens, on any port unless one is named, and a stopping host stays until it is forgotten', async () => {
    const without = await configurationOf(['users', 'orders', 'listens'], { USERS_PORT: '1' })
    expect([without.servicePorts, without.drainMs]).toEqual([new Map([['users', 1]]), 0])
    const found = await configurationOf(['users', 'orders', 'listens'], { USERS_PORT: '1', REGISTRY_URL: 'file:///tmp/r' })
    expect([found.servicePorts, found.drainMs, found.drainsEarly]).toEqual([
      new Map([
        ['users', 1],
        ['orders', 0],
      ]),
      5_000,
      true,
    ])
    const told = await configurationOf(['users'], { REGISTRY_URL: 'file:///tmp/r', SKERRY_DRAIN_MS: '70' })
    expect([told.drainMs, told.drainsEarly]).toEqual([70, false])
  })
})
