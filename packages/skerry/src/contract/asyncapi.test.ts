import { Parser } from '@asyncapi/parser'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { AsyncApiDocument } from './asyncapi.ts'
import { asyncApi, mergeAsyncApi } from './asyncapi.ts'
import { contract } from './contract.ts'
import { event } from './event.ts'

const Line = z.object({ sku: z.string(), quantity: z.int().min(1).default(1) }).meta({ id: 'Line' })
const Category = z
  .object({
    name: z.string(),
    get children() {
      return z.array(Category)
    },
  })
  .meta({ id: 'Category' })
const OrderPlaced = z.strictObject({
  orderId: z.uuid(),
  lines: z.array(Line),
  category: Category.nullable(),
  place: z.tuple([z.number(), z.number()], z.string()),
  paid: z.union([z.literal('card'), z.object({ until: z.iso.date() })]).optional(),
})

const orders = contract('orders', {
  version: '2.1.0',
  owner: 'checkout team',
  description: 'Takes orders',
  operations: {},
  events: {
    orderShipped: event(z.object({ orderId: z.uuid() }), { key: 'orderId', version: 3, summary: 'It is on its way' }),
    orderPlaced: event(OrderPlaced, { key: 'orderId', bindings: { amqp: { queue: 'order-mails', durable: false } } }),
  },
})
const stock = contract('stock', {
  version: '1.0.0',
  operations: {},
  events: { soldOut: event(z.object({ sku: z.string(), line: Line }), { key: 'sku' }) },
})

type Json = Readonly<Record<string, unknown>>

/** What an independent parser has to say against a document. */
async function objections(document: AsyncApiDocument): Promise<readonly string[]> {
  const { diagnostics } = await new Parser().parse(JSON.stringify(document))
  // That there is a 3.1 says nothing against a 3.0.
  return diagnostics
    .filter(({ code }) => code !== 'asyncapi-latest-version')
    .map(({ severity, code, message, path }) => `${severity} ${code} at ${path.join('/')}: ${message}`)
}

function at(node: unknown, ...path: readonly string[]): unknown {
  return path.reduce((inner, key) => (inner as Json)[key], node)
}

describe('asyncApi', () => {
  const document = asyncApi(orders, [stock.events.soldOut])

  it('is accepted by an independent parser, without a word against it', async () => {
    expect(await objections(document)).toEqual([])
    expect(await objections(asyncApi(contract('silent', { version: '1.0.0', operations: {} })))).toEqual([])
  })

  it('has a channel for each topic, and says what is sent and received', async () => {
    const { document: parsed } = await new Parser().parse(JSON.stringify(document))
    expect(parsed!.version()).toBe('3.0.0')
    expect(parsed!.info().title()).toBe('orders')
    const operations = parsed!.operations().all()
    expect(
      operations.map((operation) => [
        operation.id(),
        operation.action(),
        operation.channels().all()[0]!.address(),
        operation
          .messages()
          .all()
          .map((message) => message.name()),
      ]),
    ).toEqual([
      ['orders.send', 'send', 'orders', ['orders.orderPlaced.v1', 'orders.orderShipped.v3']],
      ['orders.orderPlaced.v1.send', 'send', 'order-mails', ['orders.orderPlaced.v1.data']],
      ['orders.receive.stock', 'receive', 'stock', ['stock.soldOut.v1']],
    ])
  })

  it('describes each event as the CloudEvent that it is on the wire, with what orders it', () => {
    const message = at(document, 'components', 'messages', 'orders.orderPlaced.v1')
    expect(message).toMatchObject({
      contentType: 'application/cloudevents+json',
      'x-ordering-key': 'orderId',
      correlationId: { location: '$message.payload#/id' },
      payload: {
        allOf: [
          { $ref: '#/components/schemas/CloudEvent' },
          { properties: { type: { const: 'orders.orderPlaced.v1' }, source: { const: '/services/orders' } }, required: ['data'] },
        ],
      },
    })
    const data = at(message, 'payload', 'allOf', '1', 'properties', 'data') as Json
    expect(data).toMatchObject({ type: 'object', required: ['orderId', 'lines', 'category', 'place'] })
    // A later version may add a field.
    expect(data).not.toHaveProperty('additionalProperties')
    expect(at(data, 'properties', 'place')).toEqual({
      type: 'array',
      minItems: 2,
      items: [{ type: 'number' }, { type: 'number' }],
      additionalItems: { type: 'string' },
    })
    expect(at(document, 'components', 'messages', 'orders.orderShipped.v3')).toMatchObject({ summary: 'It is on its way', 'x-version': 3 })
    expect(at(document, 'components', 'messages', 'orders.orderPlaced.v1.data', 'payload')).toEqual(data)
    expect(Object.keys(at(document, 'components', 'schemas') as Json)).toEqual(['Category', 'CloudEvent', 'Line'])
  })

  it('is the same whatever the order in which events are declared', () => {
    const { orderPlaced, orderShipped } = orders.events
    const reversed = { ...orders, events: { orderPlaced, orderShipped } }
    expect(JSON.stringify(asyncApi(reversed, [stock.events.soldOut]))).toBe(JSON.stringify(document))
  })
})

describe('mergeAsyncApi', () => {
  it('holds who sends and who receives what in a system', async () => {
    const mails = contract('mails', { version: '1.0.0', operations: {} })
    const parties = [
      { contract: stock, receives: [orders.events.orderPlaced] },
      { contract: orders, receives: [stock.events.soldOut] },
      { contract: mails, receives: [stock.events.soldOut, orders.events.orderShipped, orders.events.orderPlaced] },
    ]
    const document = mergeAsyncApi('shop', parties)
    expect(await objections(document)).toEqual([])
    expect(document['info']).toMatchObject({
      title: 'shop',
      version: '1.0.0',
      tags: [{ name: 'mails' }, { name: 'orders' }, { name: 'stock' }],
    })
    expect(Object.keys(document['operations'] as Json)).toEqual([
      'mails.receive.orders',
      'mails.receive.stock',
      'orders.send',
      'orders.orderPlaced.v1.send',
      'orders.receive.stock',
      'stock.send',
      'stock.receive.orders',
    ])
    expect(at(document, 'operations', 'mails.receive.orders', 'messages')).toEqual([
      { $ref: '#/channels/orders/messages/orders.orderPlaced.v1' },
      { $ref: '#/channels/orders/messages/orders.orderShipped.v3' },
    ])
    expect(JSON.stringify(mergeAsyncApi('shop', parties.toReversed()))).toBe(JSON.stringify(document))
  })
})
