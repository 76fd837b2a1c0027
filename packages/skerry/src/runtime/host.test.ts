import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { VirtualClock } from '../base/clock.ts'
import { seededRandom } from '../base/random.ts'
import { contract, event, get, post } from '../contract/index.ts'
import type { Database, DatabaseEngine } from '../engine/database.ts'
import { gateway } from '../gateway/index.ts'
import { service } from '../service/index.ts'
import type { Service } from '../service/service.ts'
import { createLog } from '../telemetry/log.ts'
import { testDatabaseEngine } from '../testing/test-databases.ts'
import { readConfiguration } from './configuration.ts'
import type { Host } from './host.ts'
import { startHost } from './host.ts'
import { select, system } from './system.ts'

const Name = z.object({ name: z.string() })
const greeter = contract('greeter', {
  version: '1.0.0',
  operations: { greet: get('/greet/{name}', { input: Name, output: z.object({ text: z.string() }) }) },
})
const guests = contract('guests', {
  version: '1.0.0',
  operations: { welcome: post('/guests', { input: Name, public: true }) },
  events: { arrived: event(Name, { key: 'name' }) },
})
const hall = contract('hall', { version: '1.0.0', operations: {} })

const guestService = service(guests).implement({
  welcome: ({ input, transaction }) => transaction(async ({ emit }) => emit.arrived(input)),
})
const hallDefinition = service(hall, { uses: { greeter, guests } })

/** Services that are made in the order given. The greeter takes as long to make as `made` says. */
function services({
  onArrived,
  made = Promise.resolve(),
}: {
  onArrived: (greet: (name: string) => Promise<string>, attempt: number) => Promise<void>
  made?: Promise<void>
}): Service[] {
  const hallService = hallDefinition.implement(
    {},
    {
      on: [
        hallDefinition.effect(guests.events.arrived, async ({ call, meta }) =>
          onArrived(async (name) => (await call.greeter.greet({ name })).text, meta.attempt),
        ),
      ],
    },
  )
  const greeterService = service(greeter, { resources: () => made }).implement({
    greet: async ({ input }) => ({ text: `hello ${input.name}` }),
  })
  return [hallService, guestService, greeterService]
}

let engine: DatabaseEngine
/** What one host closes the next one finds again. */
let keptOpen: DatabaseEngine
let clock: VirtualClock
beforeAll(async () => {
  engine = await testDatabaseEngine()
  const opened = new Map<string, Promise<Database>>()
  keptOpen = {
    description: engine.description,
    exclusive: true,
    async open({ service: name }) {
      const { query, transaction, ping } = await (opened.get(name) ??
        opened.set(name, engine.open({ service: name, shared: true })).get(name)!)
      return { query, transaction, ping, close: async () => {} }
    },
    close: async () => {},
  }
})
afterAll(() => engine.close())
beforeEach(() => {
  clock = new VirtualClock()
})

async function start(parts: Service[], environment: Record<string, string> = {}): Promise<Host> {
  const definition = system('test', { services: parts, gateway: gateway() })
  const selection = select(definition, [])
  const configuration = await readConfiguration(definition, selection, { PORT: '0', SKERRY_DATA: 'memory', ...environment })
  const engines = { database: async () => keptOpen, broker: () => Promise.reject(new Error('there is none')) }
  return startHost({
    system: definition,
    selection,
    configuration,
    engines,
    clock,
    random: seededRandom(1),
    log: createLog({ level: 'silent' }),
  })
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await clock.advance(0)
}

async function until(condition: () => boolean, stepMs = 0): Promise<void> {
  for (let step = 0; step < 20_000 && !condition(); step++) await clock.advance(stepMs)
  expect(condition()).toBe(true)
}

describe.each(['local', 'http', 'fast'])('a host with calls over %s', (SKERRY_WIRE) => {
  it('handles what an earlier life kept only when everything that handlers may call is there', async () => {
    const name = `ann-${SKERRY_WIRE}`
    let failed = false
    const before = await start(
      services({
        onArrived: async () => {
          failed = true
          throw new Error('not yet')
        },
      }),
    )
    await before.clientFor(guests).welcome({ name })
    await until(() => failed)
    await before.stop()
    await clock.advance('1m')

    const heard: string[] = []
    const { promise: made, resolve } = Promise.withResolvers<void>()
    const starting = start(
      services({
        made,
        onArrived: async (greet, attempt) => {
          heard.push(`attempt ${attempt}`)
          heard.push(await greet(name))
        },
      }),
      { SKERRY_WIRE },
    )
    await turns(300)
    resolve()
    const host = await starting
    await until(() => heard.length === 2)
    expect(heard).toEqual(['attempt 2', `hello ${name}`])
    await host.stop()
  })
})

describe('a host that is told to stop', () => {
  it('stops although a handler never comes to an end', async () => {
    let begun = false
    const host = await start(
      services({
        onArrived: () => {
          begun = true
          return new Promise(() => {})
        },
      }),
      { SKERRY_GRACE_MS: '1000' },
    )
    await host.clientFor(guests).welcome({ name: 'bob' })
    await until(() => begun)
    let stopped = false
    void host.stop().then(() => (stopped = true))
    await clock.advance('500ms')
    expect(stopped).toBe(false)
    await until(() => stopped, 100)
  })

  it('does not stay reachable first when it never was: a start that fails fails at once', async () => {
    const broken = service(greeter, { resources: () => Promise.reject(new Error('no greeting')) }).implement({
      greet: async () => ({ text: '' }),
    })
    let failure: unknown
    start([broken], { SKERRY_DRAIN_MS: '60000' }).catch((error: unknown) => (failure = error))
    await turns(200)
    expect(failure).toMatchObject({ message: 'no greeting' })
  })
})

describe('what services keep while they run', () => {
  it('is opened while the databases are, and disposed of when one of those cannot be', async () => {
    const opened = Promise.withResolvers<void>()
    const disposed: string[] = []
    const keeping = service(greeter, {
      resources: () => {
        opened.resolve()
        return { [Symbol.asyncDispose]: async () => void disposed.push('greeter') }
      },
    }).implement({ greet: async () => ({ text: '' }) })
    const { open } = keptOpen
    keptOpen.open = () => opened.promise.then(() => Promise.reject(new Error('no database')))
    try {
      let failure: unknown
      start([keeping, guestService]).catch((error: unknown) => (failure = error))
      await until(() => failure !== undefined)
      expect(failure).toMatchObject({ message: 'no database' })
      expect(disposed).toEqual(['greeter'])
    } finally {
      keptOpen.open = open
    }
  })
})

describe('readiness', () => {
  it('says within two seconds that a database does not answer', async () => {
    const host = await start([guestService])
    let answer: unknown
    const instance = host.instances.get('guests')!
    const silent = Promise.withResolvers<void>()
    Object.assign(instance.database!, { ping: () => silent.promise })
    void instance.checkDatabase().then((result) => (answer = result))
    await clock.advance('1999ms')
    expect(answer).toBeUndefined()
    await clock.advance('1ms')
    expect(answer).toEqual({ status: 'down', reason: 'it has not answered for 2000 ms' })
    silent.resolve()
    await host.stop()
  })
})
