/** The envelope of an event in an AsyncAPI document: the CloudEvents attributes that `events/cloud-event.ts` writes, as a schema that messages refer to. */
import type { SchemaContext } from './openapi-schemas.ts'
import type { JsonSchema } from './schema.ts'

/** CloudEvents 1.0, JSON event format, structured mode. */
export const CLOUD_EVENT_MEDIA_TYPE = 'application/cloudevents+json'

const text = (description: string): JsonSchema => ({ type: 'string', minLength: 1, description })

const ENVELOPE: JsonSchema = {
  type: 'object',
  description: 'A CloudEvent 1.0 in structured JSON form',
  properties: {
    specversion: { const: '1.0' },
    id: text('The same at every delivery of this event'),
    source: { type: 'string', minLength: 1, format: 'uri-reference', description: 'The service that published it' },
    type: text('Contract, event and version'),
    subject: text('The ordering key'),
    partitionkey: text('The ordering key'),
    sequence: {
      type: 'string',
      pattern: '^[1-9][0-9]*$',
      description: 'Its number among the events of its source and key, from 1, without gaps',
    },
    previoustime: { type: 'string', format: 'date-time', description: 'When the event before it of its key was made; not in the first' },
    time: { type: 'string', format: 'date-time', description: 'When it was made' },
    datacontenttype: { const: 'application/json' },
    traceparent: text('The trace that it belongs to (W3C Trace Context)'),
  },
  required: ['specversion', 'id', 'source', 'type', 'subject', 'partitionkey', 'sequence', 'time', 'datacontenttype'],
}

export const CLOUD_EVENT: { readonly schema: JsonSchema; readonly context: SchemaContext } = {
  schema: { $ref: '#/$defs/CloudEvent' },
  context: { contract: '', operation: '', side: 'output', name: 'CloudEvent', root: { $defs: { CloudEvent: ENVELOPE } } },
}
