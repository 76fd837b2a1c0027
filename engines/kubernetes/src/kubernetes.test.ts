/** Against a stand-in that was written from Kubernetes's documentation: none of this has run on Kubernetes itself. */
import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Registry, RegistryStatus, ServiceAddress } from 'skerry/engine'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Slice } from '../../../test/services/kubernetes-stand-in.ts'
import { KubernetesStandIn } from '../../../test/services/kubernetes-stand-in.ts'
import { instancesIn } from './endpoint-slices.ts'
import { kubernetes } from './index.ts'

const PORTS = [
  { name: 'metrics', port: 9_464 },
  { name: 'http', port: 8_080 },
]

function slice(...addresses: string[]): Slice {
  return { endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })), ports: PORTS }
}

let standIn: KubernetesStandIn
let registry: Registry | undefined
beforeEach(async () => {
  standIn = await KubernetesStandIn.start()
})
afterEach(async () => {
  await registry?.close()
  registry = undefined
  await standIn[Symbol.asyncDispose]()
})

async function watched(service = 'users', told: RegistryStatus[] = []) {
  const url = `kubernetes://127.0.0.1:${standIn.port}?namespace=shop`
  registry = await kubernetes({ url, maxReconnectDelayMs: 200 }).open({ onStatus: (status) => told.push(status) })
  const seen: (readonly ServiceAddress[])[] = []
  registry.watch(service, (list) => seen.push(list))
  await expect.poll(() => seen.length).toBeGreaterThan(0)
  const hosts = () =>
    seen
      .at(-1)
      ?.map(({ url: text }) => new URL(text).hostname)
      .join()
  return { registry, seen, hosts }
}

describe('a watch', () => {
  test('tells all slices of the service in the namespace, however many pages they fill, and what becomes of them', async () => {
    for (const index of [1, 2, 3, 4, 5]) standIn.put('shop', 'users', `users-${index}`, slice(`10.0.0.${index}`))
    standIn.put('other', 'users', 'users-x', slice('10.9.0.1'))
    standIn.put('shop', 'orders', 'orders-1', slice('10.9.0.2'))
    const { hosts } = await watched()
    expect(hosts()).toBe('10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4,10.0.0.5')
    standIn.put('shop', 'users', 'users-1', slice('10.0.0.1', '10.0.0.6'))
    await expect.poll(hosts).toContain('10.0.0.6')
    standIn.remove('shop', 'users', 'users-5')
    await expect.poll(hosts).not.toContain('10.0.0.5')
  })

  test('that ends goes on where it was, without a new list', async () => {
    standIn.put('shop', 'users', 'one', slice('10.0.0.1'))
    const { hosts } = await watched()
    await expect.poll(() => standIn.watches).toBe(1)
    standIn.endWatches()
    standIn.put('shop', 'users', 'two', slice('10.0.0.2'))
    await expect.poll(hosts).toBe('10.0.0.1,10.0.0.2')
    expect(standIn.lists).toBe(1)
  })

  test('that has a bookmark goes on from there, also when what was before is forgotten', async () => {
    standIn.put('shop', 'users', 'one', slice('10.0.0.1'))
    const { hosts } = await watched()
    await expect.poll(() => standIn.watches).toBe(1)
    standIn.bookmark()
    standIn.compact()
    standIn.put('shop', 'users', 'two', slice('10.0.0.2'))
    await expect.poll(hosts).toBe('10.0.0.1,10.0.0.2')
    standIn.endWatches()
    standIn.put('shop', 'users', 'three', slice('10.0.0.3'))
    await expect.poll(hosts).toBe('10.0.0.1,10.0.0.2,10.0.0.3')
    expect(standIn.lists).toBe(1)
  })

  test.each(['as an answer', 'as an event'])('whose version is gone, said %s, begins with a new list', async (how) => {
    standIn.put('shop', 'users', 'one', slice('10.0.0.1'))
    const { hosts } = await watched()
    await expect.poll(() => standIn.watches).toBe(1)
    if (how === 'as an event') standIn.expireWatches()
    else {
      standIn.put('shop', 'orders', 'orders-1', slice('10.9.0.2'))
      standIn.compact()
      standIn.endWatches()
    }
    standIn.remove('shop', 'users', 'one')
    standIn.put('shop', 'users', 'two', slice('10.0.0.2'))
    await expect.poll(hosts).toBe('10.0.0.2')
    expect(standIn.lists).toBeGreaterThan(1)
  })

  test('tells nothing while the server answers 500, and goes on after it', async () => {
    standIn.put('shop', 'users', 'one', slice('10.0.0.1'))
    const told: RegistryStatus[] = []
    const { registry: opened, seen, hosts } = await watched('users', told)
    standIn.failing = true
    await expect.poll(() => standIn.watches).toBe(1)
    standIn.endWatches()
    await expect.poll(() => opened.status()).toMatchObject({ up: false, reason: expect.stringContaining('leader changed') })
    expect(seen).toHaveLength(1)
    standIn.put('shop', 'users', 'one', slice('10.0.0.7'))
    standIn.failing = false
    await expect.poll(hosts).toBe('10.0.0.7')
    expect(opened.status()).toEqual({ up: true })
    expect(told.map(({ up }) => up)).toEqual([false, true])
  })

  test('takes no registrations: Kubernetes sees to that', async () => {
    expect((await watched()).registry.register).toBeUndefined()
  })
})

describe('who serves', () => {
  const endpoint = (address: string, conditions?: object) => ({ addresses: [address], ...(conditions === undefined ? {} : { conditions }) })
  const inSlice = (...endpoints: object[]) =>
    instancesIn([{ metadata: { name: 's' }, addressType: 'IPv4', endpoints: endpoints as never, ports: PORTS }]).map(({ url }) => url)

  test('whoever is ready, and whoever is not known not to be', () => {
    expect(
      inSlice(
        endpoint('10.0.0.1', { ready: true }),
        endpoint('10.0.0.2', { ready: false }),
        endpoint('10.0.0.3'),
        endpoint('10.0.0.4', { ready: null }),
      ),
    ).toEqual(['http://10.0.0.1:8080', 'http://10.0.0.3:8080', 'http://10.0.0.4:8080'])
  })

  test('when nobody is ready, those that terminate and still serve', () => {
    const terminating = endpoint('10.0.0.1', { ready: false, serving: true, terminating: true })
    const broken = endpoint('10.0.0.2', { ready: false, serving: false, terminating: false })
    expect(inSlice(terminating, broken)).toEqual(['http://10.0.0.1:8080'])
    expect(inSlice(terminating, broken, endpoint('10.0.0.3', { ready: true }))).toEqual(['http://10.0.0.3:8080'])
  })

  test('once, though in two slices; in its zone; IPv6 in brackets; nothing without a port', () => {
    const twice = {
      metadata: { name: 'a' },
      endpoints: [{ addresses: ['fd00::1'], zone: 'eu-1a' }],
      addressType: 'IPv6',
      ports: [{ port: 80 }],
    }
    const empty = { metadata: { name: 'b' }, endpoints: null, ports: null }
    expect(instancesIn([twice, { ...twice, metadata: { name: 'c' } }, empty, { ...twice, ports: [] }])).toEqual([
      { id: '@http://[fd00::1]:80', url: 'http://[fd00::1]:80', zone: 'eu-1a' },
    ])
  })
})

describe('in a pod', () => {
  test('it uses the token, certificates and namespace of the service account, and a new token when there is one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'skerry-test-account-'))
    const certificate =
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=kubernetes -addext subjectAltName=IP:127.0.0.1'
    const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'ca.crt')]
    execFileSync('openssl', [...certificate.split(' '), ...files], { stdio: 'ignore' })
    const [key, cert] = await Promise.all([readFile(join(folder, 'key.pem'), 'utf8'), readFile(join(folder, 'ca.crt'), 'utf8')])
    await using server = await KubernetesStandIn.start({ key, cert })
    server.token = 'first'
    await Promise.all([writeFile(join(folder, 'token'), 'first\n'), writeFile(join(folder, 'namespace'), 'shop')])
    server.put('shop', 'users', 'one', slice('10.0.0.1'))
    const environment = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(server.port) }
    const opened = await kubernetes({ url: 'kubernetes://', serviceAccountFolder: folder, environment, maxReconnectDelayMs: 200 }).open({})
    const urls: string[] = []
    opened.watch('users', (list) => urls.push(list.map(({ url }) => url).join()))
    await expect.poll(() => urls.at(-1)).toBe('http://10.0.0.1:8080')
    await writeFile(join(folder, 'token'), 'second\n')
    server.token = 'second'
    server.endWatches()
    server.put('shop', 'users', 'one', slice('10.0.0.2'))
    await expect.poll(() => urls.at(-1)).toBe('http://10.0.0.2:8080')
    await opened.close()
    await rm(folder, { recursive: true })
  })

  test('outside of one it says what to do', async () => {
    const opened = await kubernetes({ url: 'kubernetes://', environment: {} }).open({})
    opened.watch('users', () => undefined)
    await expect.poll(() => opened.status()).toMatchObject({ up: false, reason: expect.stringContaining('kubectl proxy') })
    await opened.close()
  })

  test.each(['https://kubernetes', 'kubernetes'])('%s is no URL of it', (url) => {
    expect(() => kubernetes({ url })).toThrow(/kubernetes:\/\/ in a pod/)
  })
})
