/** Our envelopes in the hands of others, and theirs in ours: the CloudEvents SDK, and whoever goes by our AsyncAPI document. */
import { Ajv } from 'ajv'
import { CloudEvent, HTTP } from 'cloudevents'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import { seededRandom } from '../base/random.ts'
import { asyncApi } from '../contract/asyncapi.ts'
import { embeddedBroker } from '../engine/embedded-broker.ts'
import { readConfiguration } from '../runtime/configuration.ts'
import { startHost } from '../runtime/host.ts'
import { select, system } from '../runtime/system.ts'
import { createLog } from '../telemetry/log.ts'
import { fake } from '../testing/fake.ts'
import { notes, orders, noteServiceImplementation, orderServiceImplementation, users } from '../testing/fixtures/small-shop.ts'
import { recordingBroker } from '../testing/recording-broker.ts'
import { settle } from '../testing/settle.ts'
import { testDatabaseEngine } from '../testing/test-databases.ts'
import { problemOfIdentifier, readCloudEvent, writeCloudEvent } from './cloud-event.ts'

const MEDIA_TYPE = 'application/cloudevents+json; charset=utf-8'
const { orderPlaced } = orders.events

/** As the SDK reads a message in structured mode; it throws for what breaks the specification. */
function readBySdk(body: string): CloudEvent<unknown> {
  const events = [HTTP.toEvent<unknown>({ headers: { 'content-type': MEDIA_TYPE }, body })].flat() as CloudEvent<unknown>[]
  expect(events).toHaveLength(1)
  expect(events[0]!.validate()).toBe(true)
  return events[0]!
}

const ann = fake(users, { getUser: async ({ id }) => ({ id, name: 'Ann' }) })

/** The shop on a broker of which everything can be seen. */
async function scene() {
  const clock = new VirtualClock()
  const recorder = recordingBroker(embeddedBroker({ clock }))
  const definition = system('test', { services: [orderServiceImplementation, noteServiceImplementation, ann] })
  const selection = select(definition, [])
  const host = await startHost({
    system: definition,
    selection,
    configuration: { ...(await readConfiguration(definition, selection, { PORT: '0', SKERRY_DATA: 'memory' })), brokerUrl: 'test:' },
    engines: { database: testDatabaseEngine, broker: async () => recorder.engine },
    clock,
    random: seededRandom(1),
    log: createLog({ level: 'silent' }),
  })
  return {
    recorder,
    settled: () => settle(host, clock),
    orders: host.clientFor(orders),
    notes: host.clientFor(notes),
    deadLetters: async () => (await host.instances.get('notes')!.database!.query('select * from skerry_dead_letter')).rows,
    [Symbol.asyncDispose]: () => host.stop(),
  }
}

/** What a service has really put on the wire. */
async function published(): Promise<string[]> {
  await using shop = await scene()
  await shop.orders.placeOrder({ id: 7, userId: 1, product: 'kettle' })
  await shop.orders.renameProduct({ id: 7, product: 'teapot "\u2028"' })
  await shop.settled()
  return shop.recorder.published.map(({ body }) => body)
}

describe('what we publish', () => {
  it('is read by the CloudEvents SDK as we read it', async () => {
    const bodies = await published()
    expect(bodies).toHaveLength(2)
    for (const body of bodies) {
      const read = readCloudEvent(body)
      if (!read.ok) throw new Error(read.problem)
      const { id, source, type, key, time, data, traceparent, sequence, previousTime } = read.envelope
      const event = readBySdk(body)
      expect(event).toMatchObject({ specversion: '1.0', id, source, type, subject: key, time, data, datacontenttype: 'application/json' })
      expect([event['partitionkey'], event['traceparent'], event['sequence'], event['previoustime']]).toEqual([
        key,
        traceparent,
        String(sequence),
        previousTime,
      ])
    }
  })

  it('is what the AsyncAPI document says', async () => {
    const validator = new Ajv({ strict: false, validateFormats: false })
    validator.addSchema(asyncApi(orders), 'asyncapi')
    const payloadOf = (type: string) => validator.getSchema(`asyncapi#/components/messages/${type}/payload`)!
    for (const body of await published()) {
      const event = JSON.parse(body) as Record<string, unknown>
      const isValid = payloadOf(String(event['type']))
      expect(isValid(event), JSON.stringify(isValid.errors)).toBe(true)
      for (const broken of [{ type: 'x' }, { source: '/services/users' }, { data: {} }, { data: undefined }, { id: '' }, { sequence: '0' }])
        expect(isValid({ ...event, ...broken }), JSON.stringify(broken)).toBe(false)
    }
  })

  it('is a CloudEvent whatever its key, its trace and its place in the key', () => {
    const key = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((text) => problemOfIdentifier(text) === undefined)
    fc.assert(
      fc.property(key, fc.integer({ min: 1, max: 1e12 }), fc.jsonValue({ maxDepth: 3 }), (text, sequence, data) => {
        const time = '2026-01-01T00:00:00.000Z'
        const body = writeCloudEvent(
          { id: 'i', source: '/services/orders', type: 't', key: text, time, traceparent: undefined, sequence, previousTime: time },
          JSON.stringify({ data }),
        )
        expect(readBySdk(body)).toMatchObject({ subject: text, partitionkey: text, data: JSON.parse(JSON.stringify({ data })) })
      }),
    )
  })
})

describe('what others publish with the CloudEvents SDK', () => {
  const theirs = new CloudEvent({
    id: 'theirs-1',
    source: 'https://example.test/erp',
    type: orderPlaced.type,
    subject: '7',
    time: '2026-01-01T00:00:00.000Z',
    datacontenttype: 'application/json',
    sequence: '00000042',
    data: { id: 7, userId: 1, product: 'kettle' },
  })
  const body = String(HTTP.structured(theirs).body)

  it('is read as they meant it', () => {
    expect(readCloudEvent(body)).toEqual({
      ok: true,
      envelope: {
        id: 'theirs-1',
        source: 'https://example.test/erp',
        type: orderPlaced.type,
        key: '7',
        data: { id: 7, userId: 1, product: 'kettle' },
        time: '2026-01-01T00:00:00.000Z',
        traceparent: undefined,
        sequence: undefined,
        previousTime: undefined,
      },
    })
  })

  it('is handled once, however often it comes', async () => {
    await using shop = await scene()
    for (let time = 0; time < 2; time++)
      await shop.recorder.broker().publish([{ id: 'theirs-1', topic: 'orders', type: orderPlaced.type, key: '7', body }])
    await shop.settled()
    expect(await shop.notes.listNotes({})).toMatchObject([{ orderId: 7, text: 'placed kettle' }])
    expect(await shop.deadLetters()).toEqual([])
  })
})
