import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { etcd } from '@skerry/etcd'
import { fileRegistry } from 'skerry/runtime'
import { expect, test } from 'vitest'
import type { Instance } from './coming-and-going.ts'
import { additionsIn, load, startCounter, startGateway, whoAnswered } from './coming-and-going.ts'

const TIMES = 100
/** This many go, and come, at the same time. */
const AT_ONCE = 2

const noFailure = { failures: [], log: [] }

const registries = [
  {
    name: 'the embedded registry',
    async open() {
      const directory = await mkdtemp(join(tmpdir(), 'skerry-test-registry-'))
      return {
        engine: fileRegistry(directory),
        registryUrl: pathToFileURL(directory).href,
        end: () => rm(directory, { recursive: true, force: true }),
      }
    },
  },
  {
    name: 'etcd',
    async open() {
      const registryUrl = `${process.env['SKERRY_TEST_ETCD_URL']!}/come-and-go`
      return { engine: etcd({ url: registryUrl }), registryUrl, end: async () => {} }
    },
  },
]

test.each(registries)(`instances come and go ${TIMES} times under load behind $name, and no request fails`, async ({ open }) => {
  const { engine, registryUrl, end } = await open()
  let started = 0
  const everyone: Instance[] = []
  const come = async (): Promise<Instance> => {
    const instance = await startCounter({ name: `counter-${++started}`, engine, registryUrl })
    everyone.push(instance)
    return instance
  }
  const present = await Promise.all([come(), come(), come()])
  const { host: entry, log } = await startGateway({ engine, registryUrl })
  const calling = load(entry.gatewayUrl!)
  await calling.more(100)
  for (let gone = 0; gone < TIMES; gone += AT_ONCE) {
    present.push(...(await Promise.all(Array.from({ length: AT_ONCE }, come))))
    await Promise.all(present.splice(0, AT_ONCE).map(({ host }) => host.stop()))
  }
  await calling.more(100)
  await calling.stop()
  await Promise.all([...present.map(({ host }) => host.stop()), entry.stop()])
  await end()

  expect({ failures: calling.failures, log }).toEqual(noFailure)
  expect(started).toBe(3 + TIMES)
  // Each came into use, and no addition was made twice.
  expect(whoAnswered(calling).length).toBeGreaterThan(TIMES / 2)
  expect(everyone.reduce((sum, { additions }) => sum + additions(), 0)).toBe(additionsIn(calling))
})

test('an instance at a fixed address stops under load, and no request fails: its answers say that it is about to', async () => {
  const [first, second] = await Promise.all([
    startCounter({ name: 'first', env: { SKERRY_DRAIN_MS: '1000' } }),
    startCounter({ name: 'second' }),
  ])
  const urls = [first, second].map(({ host }) => host.serviceUrls.get('counter')!)
  const { host: entry, log } = await startGateway({ env: { COUNTER_URL: urls.join() } })
  const calling = load(entry.gatewayUrl!)
  await calling.more(200)
  await first.host.stop()
  await calling.more(200)
  await calling.stop()
  await Promise.all([second.host.stop(), entry.stop()])
  expect({ failures: calling.failures, log }).toEqual(noFailure)
  expect(whoAnswered(calling)).toEqual(['first', 'second'])
  expect(first.additions() + second.additions()).toBe(additionsIn(calling))
})
