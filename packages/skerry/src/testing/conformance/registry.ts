/**
 * What a registry engine must do: say who serves a service, at once and after each change; keep what is registered as long as it is renewed, and no
 * longer; take back what is withdrawn. Services are new in every case, so the cases may share one registry.
 */
import { strict as assert } from 'node:assert'
import { sleep, systemClock } from '../../base/clock.ts'
import { idSource } from '../../base/id.ts'
import { systemRandom } from '../../base/random.ts'
import type { Registration, Registry, RegistryEngine, ServiceAddress } from '../../engine/registry.ts'
import type { ConformanceCase } from './conformance-case.ts'

export interface RegistryUnderTest {
  readonly engine: RegistryEngine
  /** How long the engine's registrations outlive who does not renew them; keep it short. */
  readonly leaseMs: number
}

/** What a registry engine that takes registrations must do, as cases for any test runner. */
export const registryConformance: readonly ConformanceCase<RegistryUnderTest>[] = [
  registryCase('says at once that nobody is there', async (scene) => {
    const seen = await scene.watch(scene.service())
    await until('the first answer', () => seen.length > 0)
    assert.deepEqual(seen, [[]])
  }),

  registryCase('tells who is there already, as it was registered', async (scene) => {
    const service = scene.service()
    const full = scene.address({ zone: 'zone-1', version: '1.2.3' })
    const bare = scene.address()
    await scene.register(service, full)
    await scene.register(service, bare)
    const seen = await scene.watch(service)
    await until('both are seen', () => seen.at(-1)?.length === 2)
    const [one, other] = [full, bare].map(({ id }) => seen.at(-1)!.find((address) => address.id === id))
    assert.deepEqual({ ...one }, full)
    assert.equal(other?.url, bare.url)
    assert.equal(other.zone, undefined)
    assert.equal(other.version, undefined)
  }),

  registryCase('tells of those who come and of those who withdraw', async (scene) => {
    const service = scene.service()
    const seen = await scene.watch(service)
    const [first, second] = [scene.address(), scene.address()]
    const registration = await scene.register(service, first)
    await until('the first is seen', () => idsOf(seen.at(-1)) === first.id)
    await scene.register(service, second)
    await until('both are seen', () => seen.at(-1)?.length === 2)
    await registration.withdraw()
    await until('the second is left', () => idsOf(seen.at(-1)) === second.id)
  }),

  registryCase('keeps services apart, also those whose names begin alike', async (scene) => {
    const service = scene.service()
    const seen = await scene.watch(service)
    const mine = scene.address()
    await scene.register(`${service}-archive`, scene.address())
    await scene.register(service, mine)
    await until('the own one is seen', () => seen.at(-1)?.length === 1)
    await scene.register(`${service}-archive`, scene.address())
    await scene.settle(service, seen)
    assert.ok(
      seen.every((list) => list.every(({ id }) => id !== undefined) && list.length <= 2),
      'instances of another service were told',
    )
    assert.ok(seen.at(-1)!.some(({ id }) => id === mine.id))
  }),

  registryCase('keeps what is registered for as long as it is renewed', async (scene) => {
    const service = scene.service()
    const address = scene.address()
    await scene.register(service, address)
    const seen = await scene.watch(service)
    await until('it is seen', () => seen.length > 0)
    await sleep(systemClock, scene.leaseMs * 2.5)
    await scene.settle(service, seen)
    assert.ok(
      seen.every((list) => list.some(({ id }) => id === address.id)),
      'a registration that was renewed was lost',
    )
  }),

  registryCase('forgets who dies, when the lease has run out', async (scene) => {
    const service = scene.service()
    const seen = await scene.watch(service)
    const [dying, living] = [scene.address(), scene.address()]
    const registry = await scene.open()
    await registry.register!(service, dying).held
    await scene.register(service, living)
    await until('both are seen', () => seen.at(-1)?.length === 2)
    await registry.close()
    await until('the living one is left', () => idsOf(seen.at(-1)) === living.id)
  }),

  registryCase('ends up right after many changes', async (scene) => {
    const service = scene.service()
    const seen = await scene.watch(service)
    const stay: string[] = []
    await Promise.all(
      Array.from({ length: 30 }, async (_, index) => {
        const address = scene.address()
        const registration = await scene.register(service, address)
        if (index % 2 === 0) await registration.withdraw()
        else stay.push(address.id)
      }),
    )
    await until('those that stay are seen', () => idsOf(seen.at(-1)) === stay.toSorted().join())
  }),

  registryCase('a watch that is closed tells nothing more, and the others go on', async (scene) => {
    const service = scene.service()
    const registry = await scene.open()
    const closed: (readonly ServiceAddress[])[] = []
    const watch = registry.watch(service, (list) => closed.push(list))
    const open: (readonly ServiceAddress[])[] = []
    registry.watch(service, (list) => open.push(list))
    await until('both have been told', () => closed.length > 0 && open.length > 0)
    await watch.close()
    const told = closed.length
    await scene.register(service, scene.address())
    await until('the other one is told', () => open.at(-1)?.length === 1)
    assert.equal(closed.length, told)
  }),

  registryCase('is up while it works, and down when it is closed', async (scene) => {
    const registry = await scene.open()
    await registry.register!(scene.service(), scene.address()).held
    assert.deepEqual(registry.status(), { up: true })
    await registry.close()
    assert.equal(registry.status().up, false)
  }),
]

function registryCase(name: string, run: (scene: RegistryScene) => Promise<void>): ConformanceCase<RegistryUnderTest> {
  return {
    name,
    async run(subject) {
      const scene = new RegistryScene(subject)
      try {
        await run(scene)
      } finally {
        await scene.end()
      }
    },
  }
}

const WAIT_MS = 30_000
const newId = idSource(systemClock, systemRandom)

class RegistryScene {
  readonly leaseMs: number
  readonly #engine: RegistryEngine
  readonly #registries: Registry[] = []
  readonly #registrations: Registration[] = []

  constructor({ engine, leaseMs }: RegistryUnderTest) {
    this.#engine = engine
    this.leaseMs = leaseMs
  }

  service(): string {
    return `service-${newId()}`
  }

  address(more: Partial<ServiceAddress> = {}): ServiceAddress {
    return { id: newId(), url: `http://127.0.0.1:${systemRandom.int(1_024, 65_535)}`, ...more }
  }

  async open(): Promise<Registry> {
    const registry = await this.#engine.open({})
    this.#registries.push(registry)
    return registry
  }

  async watch(service: string): Promise<(readonly ServiceAddress[])[]> {
    const seen: (readonly ServiceAddress[])[] = []
    const registry = await this.open()
    registry.watch(service, (list) => seen.push(list))
    return seen
  }

  async register(service: string, address: ServiceAddress): Promise<Registration> {
    const registry = await this.open()
    const registration = registry.register!(service, address)
    this.#registrations.push(registration)
    await registration.held
    return registration
  }

  /** Resolves when what has been registered so far has been told to that watch: what is registered now has been. */
  async settle(service: string, seen: readonly (readonly ServiceAddress[])[]): Promise<void> {
    const marker = this.address()
    await this.register(service, marker)
    await until('the marker is seen', () => seen.at(-1)?.some(({ id }) => id === marker.id) === true)
  }

  async end(): Promise<void> {
    await Promise.all(this.#registrations.map((registration) => registration.withdraw()))
    await Promise.all(this.#registries.map((registry) => registry.close()))
  }
}

function idsOf(list: readonly ServiceAddress[] | undefined): string | undefined {
  return list
    ?.map(({ id }) => id)
    .toSorted()
    .join()
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const giveUpAtMs = systemClock.nowMs() + WAIT_MS
  while (!condition()) {
    if (systemClock.nowMs() > giveUpAtMs) assert.fail(`waited ${WAIT_MS} ms in vain until ${what}`)
    await sleep(systemClock, 10)
  }
}
