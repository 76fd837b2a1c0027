/** Against a stand-in that was written from Consul's documentation: none of this has run on Consul itself. */
import { registryConformance } from 'skerry/conformance'
import type { Registry, RegistryStatus, ServiceAddress } from 'skerry/engine'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConsulStandIn } from '../../../test/services/consul-stand-in.ts'
import { consul } from './index.ts'

const leaseMs = 1_000
const one = { id: 'one', url: 'http://127.0.0.1:1', zone: 'a', version: '1.0.0' }

let standIn: ConsulStandIn
let registry: Registry | undefined
beforeEach(async () => {
  standIn = await ConsulStandIn.start()
})
afterEach(async () => {
  await registry?.close()
  registry = undefined
  await standIn[Symbol.asyncDispose]()
})

async function open(told: RegistryStatus[] = [], url = standIn.url): Promise<Registry> {
  return (registry = await consul({ url, leaseMs, waitMs: 2_000, maxReconnectDelayMs: 300 }).open({
    onStatus: (status) => told.push(status),
  }))
}

function seenBy({ watch }: Registry, service: string): (readonly ServiceAddress[])[] {
  const seen: (readonly ServiceAddress[])[] = []
  watch(service, (list) => seen.push(list))
  return seen
}

describe('conformance', () => {
  test.each(registryConformance)('$name', async (promise) => {
    await expect(promise.run({ engine: consul({ url: standIn.url, leaseMs, waitMs: 2_000 }), leaseMs })).resolves.toBeUndefined()
  })
})

test('an agent that has lost its data, and counts from the beginning, is registered with again', async () => {
  const opened = await open()
  const seen = seenBy(opened, 'users')
  await opened.register!('users', one).held
  await expect.poll(() => seen.at(-1)).toEqual([one])
  standIn.forget()
  await expect.poll(() => seen.at(-1)).toEqual([])
  await expect.poll(() => seen.at(-1)).toEqual([one])
})

test('while it answers 500 nothing is told, and its status says why', async () => {
  const told: RegistryStatus[] = []
  const opened = await open(told)
  const seen = seenBy(opened, 'users')
  await opened.register!('users', one).held
  await expect.poll(() => seen.at(-1)).toEqual([one])
  const lists = seen.length
  standIn.failing = true
  standIn.answerEarly()
  await expect.poll(() => opened.status()).toMatchObject({ up: false, reason: expect.stringContaining('No cluster leader') })
  expect(seen.length).toBe(lists)
  standIn.failing = false
  await expect.poll(() => opened.status()).toEqual({ up: true })
  await expect.poll(() => seen.at(-1)).toEqual([one])
  expect(told.map(({ up }) => up)).toEqual([false, true])
})

test('connections that are cut are made again', async () => {
  const opened = await open()
  const seen = seenBy(opened, 'users')
  await expect.poll(() => seen.length).toBe(1)
  standIn.cut()
  await opened.register!('users', one).held
  await expect.poll(() => seen.at(-1)).toEqual([one])
})

test('queries that are answered with nothing new tell nothing', async () => {
  const opened = await open()
  const seen = seenBy(opened, 'users')
  await expect.poll(() => seen.length).toBe(1)
  const queries = standIn.queries
  standIn.answerEarly()
  await expect.poll(() => standIn.queries).toBeGreaterThan(queries)
  expect(seen).toHaveLength(1)
})

test('instances that others have registered are found by address and port, or by the address of their node', async () => {
  const seen = seenBy(await open(), 'legacy')
  standIn.add('legacy', 'a', '10.0.0.1', 8080)
  standIn.add('legacy', 'b', '', 9090)
  await expect.poll(() => seen.at(-1)?.map(({ url }) => url)).toEqual(['http://10.0.0.1:8080', 'http://10.9.9.9:9090'])
})

test('the token of the URL is sent, and appears in no description', async () => {
  const opened = await open([], standIn.url.replace('//', '//:secret@'))
  const seen = seenBy(opened, 'users')
  await expect.poll(() => seen.length).toBe(1)
  expect(standIn.lastHeaders['x-consul-token']).toBe('secret')
  expect(opened.description).not.toContain('secret')
})

test.each(['http://consul:8500', 'consul://', 'consul'])('%s is no URL of an agent', (url) => {
  expect(() => consul({ url })).toThrow(/consul:\/\/<host>:8500/)
})
