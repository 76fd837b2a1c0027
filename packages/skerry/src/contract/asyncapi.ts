/**
 * The AsyncAPI 3.0 document of a service's events: a channel for each topic, a message for each event as the CloudEvent that it is on
 * the wire, and what the service sends and receives. Equal contracts give equal documents, whatever the order of their parts.
 */
import { CLOUD_EVENT, CLOUD_EVENT_MEDIA_TYPE } from './asyncapi-envelope.ts'
import { toDraft07 } from './asyncapi-schemas.ts'
import type { Contract } from './contract.ts'
import type { Event } from './event.ts'
import { tolerant } from './openapi-operation.ts'
import type { Place } from './openapi-schemas.ts'
import { compare, pascalCase, withSchemaComponents } from './openapi-schemas.ts'
import type { JsonSchema } from './schema.ts'
import { jsonSchema } from './schema.ts'

export type AsyncApiDocument = Record<string, unknown>

/** A service as far as its events go: what it may send is in its contract, what it receives is its own affair. */
export interface EventParty {
  readonly contract: Contract
  /** The events that it handles. Default: none. */
  readonly receives?: readonly Event[]
}

/** The document of one service. */
export function asyncApi(contract: Contract, receives: readonly Event[] = []): AsyncApiDocument {
  const { name, version, owner, description } = contract
  const info = {
    title: name,
    version,
    ...(description === undefined ? {} : { description }),
    ...(owner === undefined ? {} : { contact: { name: owner } }),
  }
  return documentOf(info, [{ contract, receives }])
}

/** One document of a system: who sends and who receives what. `version` is the document's, default 1.0.0. */
export function mergeAsyncApi(title: string, parties: readonly EventParty[], version = '1.0.0'): AsyncApiDocument {
  return documentOf(
    { title, version },
    parties.toSorted((left, right) => compare(left.contract.name, right.contract.name)),
  )
}

type Node = Readonly<Record<string, unknown>>

function documentOf(info: Node, parties: readonly EventParty[]): AsyncApiDocument {
  const sent = parties.flatMap(({ contract }) => eventsOf(contract))
  const received = parties.flatMap(({ receives = [] }) => receives)
  const events = [...new Map([...received, ...sent].map((event) => [event.type, event])).values()].toSorted(byType)
  const queues = sent.flatMap((event) => (event.bindings.amqp === undefined ? [] : [[event, event.bindings.amqp] as const]))
  const { built, schemas } = withSchemaComponents((place) =>
    Object.fromEntries([
      ...events.map((event) => [event.type, message(event, place)]),
      ...queues.map(([event]) => [`${event.type}.data`, bareMessage(event, place)]),
    ]),
  )
  const channels = Object.fromEntries([
    ...[...Map.groupBy(events, ({ contract }) => contract)].map(([topic, ofTopic]) => [topic, channel(topic, ofTopic)]),
    ...queues.map(([event, amqp]) => [queueChannelOf(event), queueChannel(event, amqp)]),
  ])
  return {
    asyncapi: '3.0.0',
    info: { ...info, tags: parties.map(({ contract }) => tagOf(contract)) },
    defaultContentType: CLOUD_EVENT_MEDIA_TYPE,
    channels,
    operations: Object.fromEntries(parties.flatMap(operationsOf)),
    components: { messages: built, schemas: mapValues(schemas, toDraft07) },
  }
}

function eventsOf(contract: Contract): readonly Event[] {
  return Object.values(contract.events as Readonly<Record<string, Event>>).toSorted(byType)
}

function byType(left: Event, right: Event): number {
  return compare(left.type, right.type)
}

function tagOf({ name, description, owner }: Contract): Node {
  return {
    name,
    ...(description === undefined ? {} : { description }),
    ...(owner === undefined ? {} : { 'x-owner': owner }),
  }
}

function channel(topic: string, events: readonly Event[]): Node {
  return {
    address: topic,
    title: `The events of ${topic}`,
    description: 'Delivered at least once, and handled in the order of their "sequence" among those of one "partitionkey".',
    messages: Object.fromEntries(events.map(({ type }) => [type, { $ref: `#/components/messages/${type}` }])),
  }
}

/** The event as it travels, its data by the schema that its publisher promises. */
function message(event: Event, place: Place): Node {
  const { contract, name, type, key, version, summary } = event
  const data = dataSchema(event, place)
  const envelope = place(CLOUD_EVENT.schema, CLOUD_EVENT.context)
  return {
    name: type,
    title: name,
    ...(summary === undefined ? {} : { summary }),
    description: `In order per ${key}: its value is the "partitionkey" and the "subject".`,
    contentType: CLOUD_EVENT_MEDIA_TYPE,
    correlationId: { description: 'The same at every delivery', location: '$message.payload#/id' },
    payload: toDraft07({
      allOf: [
        envelope,
        { type: 'object', properties: { type: { const: type }, source: { const: `/services/${contract}` }, data }, required: ['data'] },
      ],
    }),
    tags: [{ name: contract }],
    'x-ordering-key': key,
    'x-version': version,
  }
}

/** What is promised to consumers that do not use Skerry: the data alone, in a queue. */
function queueChannel({ type }: Event, { queue, durable }: { readonly queue: string; readonly durable: boolean }): Node {
  return {
    address: queue,
    title: `The bare data of ${type}`,
    messages: { [`${type}.data`]: { $ref: `#/components/messages/${type}.data` } },
    bindings: { amqp: { is: 'queue', queue: { name: queue, durable, exclusive: false, autoDelete: false }, bindingVersion: '0.3.0' } },
  }
}

function queueChannelOf({ type }: Event): string {
  return `${type}.queue`
}

function bareMessage(event: Event, place: Place): Node {
  const { contract, name, type } = event
  return {
    name: `${type}.data`,
    title: `${name}, the data alone`,
    contentType: 'application/json',
    payload: toDraft07(dataSchema(event, place)),
    tags: [{ name: contract }],
  }
}

/** What the publisher writes: as in answers, a later version may add to it. */
function dataSchema({ contract, name, data }: Event, place: Place): JsonSchema {
  const root = tolerant(jsonSchema(data, 'output'))
  return place(root, { contract, operation: name, side: 'output', name: pascalCase(name), root })
}

function operationsOf({ contract, receives = [] }: EventParty): readonly (readonly [string, Node])[] {
  const { name } = contract
  const sends = eventsOf(contract)
  const operations: (readonly [string, Node])[] = []
  if (sends.length > 0) operations.push([`${name}.send`, operation('send', name, sends, `${name} publishes`, name)])
  for (const event of sends)
    if (event.bindings.amqp !== undefined)
      operations.push([
        `${event.type}.send`,
        {
          action: 'send',
          title: `${name} publishes the data of ${event.name} alone`,
          channel: { $ref: `#/channels/${queueChannelOf(event)}` },
          messages: [{ $ref: `#/channels/${queueChannelOf(event)}/messages/${event.type}.data` }],
          tags: [{ name }],
        },
      ])
  const byTopic = [...Map.groupBy(receives, (event) => event.contract)].toSorted(([left], [right]) => compare(left, right))
  for (const [topic, events] of byTopic)
    operations.push([
      `${name}.receive.${topic}`,
      operation('receive', topic, events.toSorted(byType), `${name} handles events of ${topic}`, name),
    ])
  return operations
}

function operation(action: 'send' | 'receive', topic: string, events: readonly Event[], title: string, tag: string): Node {
  return {
    action,
    title,
    channel: { $ref: `#/channels/${topic}` },
    messages: events.map(({ type }) => ({ $ref: `#/channels/${topic}/messages/${type}` })),
    tags: [{ name: tag }],
  }
}

function mapValues(schemas: Readonly<Record<string, JsonSchema>>, change: (schema: JsonSchema) => JsonSchema): Node {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, change(schema)]))
}
