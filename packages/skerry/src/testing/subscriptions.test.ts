/** Where subscriptions begin and what becomes of those that end, over several lives of a system on one database. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { VirtualClock } from '../base/clock.ts'
import { seededRandom } from '../base/random.ts'
import { contract, event, post } from '../contract/index.ts'
import type { Database, DatabaseEngine } from '../engine/database.ts'
import { embeddedBroker } from '../engine/embedded-broker.ts'
import { sourceOf, writeCloudEvent } from '../events/cloud-event.ts'
import { readConfiguration } from '../runtime/configuration.ts'
import { startHost } from '../runtime/host.ts'
import { select, system } from '../runtime/system.ts'
import { service } from '../service/index.ts'
import type { Service, SubscriptionOptions } from '../service/service.ts'
import { createLog } from '../telemetry/log.ts'
import { recordingBroker } from './recording-broker.ts'
import { settle } from './settle.ts'
import { testDatabaseEngine } from './test-databases.ts'

const Order = z.object({ id: z.int() })
const orders = contract('orders', {
  version: '1.0.0',
  operations: { place: post('/orders', { input: Order }), ship: post('/shipped', { input: Order }) },
  events: { placed: event(Order, { key: 'id' }), shipped: event(Order, { key: 'id' }) },
})
const notes = contract('notes', { version: '1.0.0', operations: {} })
const orderService = service(orders).implement({
  place: ({ input, transaction }) => transaction(async ({ emit }) => emit.placed(input)),
  ship: ({ input, transaction }) => transaction(async ({ emit }) => emit.shipped(input)),
})

let engine: DatabaseEngine
let opened: Map<string, Promise<Database>>
let clock: VirtualClock
let heard: string[]
beforeAll(async () => {
  engine = await testDatabaseEngine()
  opened = new Map()
})
afterAll(() => engine.close())
beforeEach(async () => {
  clock = new VirtualClock()
  heard = []
  for (const database of opened.values())
    for (const table of ['outbox', 'key_head', 'key_cursor', 'subscription', 'event_start', 'delivery', 'dead_letter'])
      await (await database).query(`delete from skerry_${table}`)
})

type Kind = 'on' | 'effect'

function noteService(
  subscribed: { readonly placed?: SubscriptionOptions; readonly shipped?: SubscriptionOptions },
  kind: Kind = 'on',
): Service {
  const definition = service(notes, { listens: [orders] })
  const subscriptions = (['placed', 'shipped'] as const).flatMap((name) => {
    const options = subscribed[name]
    return options === undefined
      ? []
      : [definition[kind](orders.events[name], async ({ event: { id } }) => void heard.push(`${name} ${id}`), options)]
  })
  return definition.implement({}, { on: subscriptions })
}

async function life(services: readonly Service[]) {
  const keptOpen: DatabaseEngine = {
    description: engine.description,
    exclusive: true,
    async open({ service: name }) {
      const { query, transaction, ping } = await (opened.get(name) ??
        opened.set(name, engine.open({ service: name, shared: true })).get(name)!)
      return { query, transaction, ping, close: async () => {} }
    },
    close: async () => {},
  }
  const recorder = recordingBroker(embeddedBroker({ clock }))
  const definition = system('test', { services: [orderService, ...services] })
  const selection = select(definition, [])
  const host = await startHost({
    system: definition,
    selection,
    configuration: { ...(await readConfiguration(definition, selection, { PORT: '0', SKERRY_DATA: 'memory' })), brokerUrl: 'test:' },
    engines: { database: async () => keptOpen, broker: async () => recorder.engine },
    clock,
    random: seededRandom(1),
    log: createLog({ level: 'silent' }),
  })
  const client = host.clientFor(orders)
  return {
    place: (id: number) => client.place({ id }),
    ship: (id: number) => client.ship({ id }),
    broker: () => recorder.broker(),
    settled: () => settle(host, clock),
    rows: async (name: string, sql: string) => (await host.instances.get(name)!.database!.query(sql)).rows,
    [Symbol.asyncDispose]: () => host.stop(),
  }
}

/** Leaves events in the outbox, as when no consumer has been reached yet. */
async function unsent(): Promise<void> {
  const database = await opened.get('orders')!
  await database.query(
    `insert into skerry_outbox (part, topic, key, seq, message_id, type, payload, traceparent, created_at)
     values (0, 'orders', '1', 1, gen_random_uuid(), $1, '{"id":1}', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', $2)`,
    [orders.events.placed.type, clock.now()],
  )
  await database.query(`insert into skerry_key_head (topic, key, seq, at) values ('orders', '1', 1, $1)`, [clock.now()])
  await clock.advance('1h')
}

describe.each<Kind>(['on', 'effect'])('a subscription that is new (%s)', (kind) => {
  it('begins by default with the first event that is still held for it', async () => {
    await (await life([]))[Symbol.asyncDispose]()
    await unsent()
    await using shop = await life([noteService({ placed: {} }, kind)])
    await shop.place(1)
    await shop.settled()
    expect(heard).toEqual(['placed 1', 'placed 1'])
  })

  it('begins, from now on, with what is emitted after it exists, and its keys go on', async () => {
    await (await life([]))[Symbol.asyncDispose]()
    await unsent()
    {
      await using shop = await life([noteService({ placed: { from: 'now' } }, kind)])
      await shop.settled()
      expect(heard).toEqual([])
      await clock.advance('1s')
      await shop.place(1)
      await shop.settled()
      expect(heard).toEqual(['placed 1'])
      expect(await shop.rows('notes', 'select seq from skerry_key_cursor')).toEqual([{ seq: 2 }])
    }
    // A restart is no new beginning.
    await using again = await life([noteService({ placed: { from: 'now' } }, kind)])
    await again.place(1)
    await again.settled()
    expect(heard).toEqual(['placed 1', 'placed 1'])
    expect(await again.rows('notes', 'select 1 from skerry_dead_letter')).toEqual([])
  })

  it('of a service that handled others of its topic before, does not disturb their order', async () => {
    {
      await using shop = await life([noteService({ placed: {} }, kind)])
      await shop.place(1)
      await shop.ship(1)
      await shop.settled()
    }
    await clock.advance('1h')
    await using shop = await life([noteService({ placed: {}, shipped: {} }, kind)])
    await shop.place(1)
    await shop.ship(1)
    await shop.settled()
    expect(heard).toEqual(['placed 1', 'placed 1', 'shipped 1'])
  })
})

describe('a subscription that was removed', () => {
  it('holds nothing back: the outbox is emptied without it', async () => {
    await (await life([noteService({ placed: {} })]))[Symbol.asyncDispose]()
    await using shop = await life([])
    await shop.place(1)
    await shop.settled()
    expect(await shop.rows('orders', 'select 1 from skerry_outbox')).toEqual([])
  })

  it('leaves no dead letters of what still reaches its queue, and begins anew when it comes back', async () => {
    const others = contract('others', { version: '1.0.0', operations: {}, events: { happened: event(Order, { key: 'id' }) } })
    const otherService = service(others).implement({})
    const both = service(notes, { listens: [orders, others] })
    const handlers = [
      both.on(orders.events.placed, async () => void heard.push('placed')),
      both.on(others.events.happened, async () => void heard.push('happened')),
    ]
    const publish = async (shop: Awaited<ReturnType<typeof life>>, sequence: number, previousTime = clock.now().toISOString()) => {
      const time = clock.now().toISOString()
      const id = `happened-${sequence}`
      const type = others.events.happened.type
      const envelope = {
        id,
        source: sourceOf('others'),
        type,
        key: '1',
        time,
        traceparent: undefined,
        sequence,
        previousTime: sequence === 1 ? undefined : previousTime,
      }
      await shop.broker().publish([{ id, topic: 'others', type, key: '1', body: writeCloudEvent(envelope, '{"id":1}') }])
      await shop.settled()
    }
    const topics = 'select topic from skerry_subscription order by topic'
    {
      await using shop = await life([otherService, both.implement({}, { on: handlers })])
      await publish(shop, 1)
      expect(await shop.rows('notes', topics)).toEqual([{ topic: 'orders' }, { topic: 'others' }])
    }
    {
      await using shop = await life([otherService, both.implement({}, { on: handlers.slice(0, 1) })])
      await shop.settled()
      expect(await shop.rows('notes', topics)).toEqual([{ topic: 'orders' }])
      // A broker that keeps bindings still delivers to the queue.
      await shop
        .broker()
        .subscribe({ name: 'notes', topics: ['others'], prefetch: 1, handle: async () => 'requeue' })
        .then((bound) => bound.close())
      await publish(shop, 2)
      expect(await shop.rows('notes', 'select 1 from skerry_dead_letter')).toEqual([])
    }
    const meanwhile = clock.now().toISOString()
    await clock.advance('1h')
    await using shop = await life([otherService, both.implement({}, { on: handlers })])
    await shop.settled()
    // Numbers 3 and 4 were published while nobody here wanted them: they are not waited for.
    await publish(shop, 5, meanwhile)
    expect(heard).toEqual(['happened', 'happened'])
  })
})
