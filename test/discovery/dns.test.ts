/** Instances found by DNS, of a real server, by a real gateway; each has an address of its own in 127.0.0.0/8. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { DnsServer } from '../gateway/dns-server.ts'
import { freePort } from '../services/free-port.ts'
import { request } from '../topologies/request.ts'
import type { Instance } from './coming-and-going.ts'
import { load, startCounter, startGateway, whoAnswered } from './coming-and-going.ts'

const NAME = 'counter.internal'
const held = { stack: new AsyncDisposableStack() }
let dns: DnsServer
let port: number
beforeEach(async () => {
  held.stack = new AsyncDisposableStack()
  dns = held.stack.use(await DnsServer.start())
  port = await freePort()
})
afterEach(() => held.stack.disposeAsync())

async function counterAt(address: string, atPort = port): Promise<Instance> {
  const instance = await startCounter({ name: address, env: { HOST: address, COUNTER_PORT: String(atPort), SKERRY_DRAIN_MS: '1000' } })
  held.stack.defer(() => instance.host.stop())
  return instance
}

async function gatewayTo(url: string): Promise<Instance> {
  const instance = await startGateway({ env: { COUNTER_URL: `${url}?resolver=${dns.address}` } })
  held.stack.defer(() => instance.host.stop())
  return instance
}

test('addresses are asked for again when their time is over; a bad answer changes nothing', async () => {
  dns.names.set(NAME, ['127.0.0.2'])
  await Promise.all([counterAt('127.0.0.2'), counterAt('127.0.0.3')])
  const { host, log } = await gatewayTo(`dns://${NAME}:${port}`)
  const calls = load(host.gatewayUrl!)
  await calls.more(50)
  expect(whoAnswered(calls)).toEqual(['127.0.0.2'])
  dns.names.set(NAME, ['127.0.0.2', '127.0.0.3'])
  await expect.poll(() => whoAnswered(calls)).toEqual(['127.0.0.2', '127.0.0.3'])

  const [failures, nobody, nothing] = [() => (dns.failing = true), () => dns.names.delete(NAME), () => dns.names.set(NAME, [])]
  for (const breakIt of [failures, nobody, nothing]) {
    breakIt()
    const asked = dns.asked.get(NAME)!
    await expect.poll(() => dns.asked.get(NAME)).toBeGreaterThan(asked + 1)
    await calls.more(50)
    dns.failing = false
  }
  await calls.stop()
  expect(calls.failures).toEqual([])
  // Once for each time that it went wrong.
  expect(log.filter((line) => line.includes('cannot be looked up')).length).toBeGreaterThan(0)
})

test('an address that is gone from DNS is no longer called', async () => {
  dns.names.set(NAME, ['127.0.0.2', '127.0.0.3'])
  const [first] = await Promise.all([counterAt('127.0.0.2'), counterAt('127.0.0.3')])
  const { host } = await gatewayTo(`dns://${NAME}:${port}`)
  const calls = load(host.gatewayUrl!)
  await calls.more(50)
  dns.names.set(NAME, ['127.0.0.3'])
  const asked = dns.asked.get(NAME)!
  await expect.poll(() => dns.asked.get(NAME)).toBeGreaterThan(asked + 1)
  const before = first.additions()
  await calls.more(50)
  await calls.stop()
  expect(first.additions()).toBe(before)
  expect(calls.failures).toEqual([])
})

test('SRV records name hosts and ports; the best priority is called', async () => {
  const [one, two, spare] = [await freePort(), await freePort(), await freePort()]
  dns.services.set('_http._tcp.counter', [
    { priority: 1, port: one, target: 'one.internal' },
    { priority: 1, port: two, target: 'two.internal' },
    { priority: 2, port: spare, target: 'spare.internal' },
  ])
  dns.names.set('one.internal', ['127.0.0.2'])
  dns.names.set('two.internal', ['127.0.0.3'])
  await Promise.all([counterAt('127.0.0.2', one), counterAt('127.0.0.3', two)])
  const { host } = await gatewayTo('dns+srv://_http._tcp.counter')
  const calls = load(host.gatewayUrl!)
  await calls.more(100)
  await calls.stop()
  expect(calls.failures).toEqual([])
  expect(whoAnswered(calls)).toEqual(['127.0.0.2', '127.0.0.3'])
})

test('a host starts though nobody is known, fails fast and says why, and calls as soon as there is an answer', async () => {
  const { host, log } = await gatewayTo(`dns://${NAME}:${port}`)
  expect((await request('GET', `${host.gatewayUrl}/count`)).status).toBe(503)
  expect(log.join()).toContain('no instance of it is known')
  await counterAt('127.0.0.2')
  dns.names.set(NAME, ['127.0.0.2'])
  await expect.poll(async () => (await request('GET', `${host.gatewayUrl}/count`)).status).toBe(200)
})
