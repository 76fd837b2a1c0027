/**
 * The envelope of an event on the wire: CloudEvents 1.0 in structured JSON form, with the extensions `sequence` and
 * `partitionkey` (CloudEvents extensions of those names), `traceparent` (distributed tracing extension) and `previoustime`, ours: when the
 * event before this one of the same key was made, by which a consumer that joined later knows what it cannot have missed.
 */
export interface Envelope {
  readonly id: string
  /** The service that published it. */
  readonly source: string
  readonly type: string
  readonly key: string
  readonly data: unknown
  readonly time: string
  readonly traceparent: string | undefined
  /** Position among the events of this source and key, from 1; undefined when the publisher does not number them. */
  readonly sequence: number | undefined
  readonly previousTime: string | undefined
}

export const CLOUD_EVENT_MEDIA_TYPE = 'application/cloudevents+json'

/** The source attribute of a Skerry service: a URI-reference. */
export function sourceOf(service: string): string {
  return `/services/${service}`
}

/** Writes an envelope around data that is JSON text already. */
export function writeCloudEvent(envelope: Omit<Envelope, 'data'>, dataJson: string): string {
  const attributes = JSON.stringify({
    specversion: '1.0',
    id: envelope.id,
    source: envelope.source,
    type: envelope.type,
    subject: envelope.key,
    time: envelope.time,
    datacontenttype: 'application/json',
    partitionkey: envelope.key,
    sequence: envelope.sequence === undefined ? undefined : String(envelope.sequence),
    previoustime: envelope.previousTime,
    traceparent: envelope.traceparent,
  })
  return `${attributes.slice(0, -1)},"data":${dataJson}}`
}

export type ReadResult = { readonly ok: true; readonly envelope: Envelope } | { readonly ok: false; readonly problem: string }

/** Reads an envelope from an untrusted body. Unknown attributes are ignored, as the specification asks. */
export function readCloudEvent(body: string): ReadResult {
  let event: unknown
  try {
    event = JSON.parse(body)
  } catch (error) {
    return { ok: false, problem: `the body is not JSON: ${error instanceof Error ? error.message : String(error)}` }
  }
  if (typeof event !== 'object' || event === null || Array.isArray(event)) return { ok: false, problem: 'the body is not a JSON object' }
  const attributes = event as Record<string, unknown>
  if (attributes['specversion'] !== '1.0') return { ok: false, problem: `specversion is ${JSON.stringify(attributes['specversion'])}, expected "1.0"` }
  for (const required of ['id', 'source', 'type'])
    if (typeof attributes[required] !== 'string' || attributes[required] === '') return { ok: false, problem: `the attribute "${required}" is missing` }
  const text = (name: string): string | undefined => (typeof attributes[name] === 'string' ? attributes[name] : undefined)
  const sequence = text('sequence')
  if (sequence !== undefined && !/^[1-9]\d{0,15}$/.test(sequence)) return { ok: false, problem: `sequence "${sequence}" is not a whole number from 1` }
  const id = text('id')!
  return {
    ok: true,
    envelope: {
      id,
      source: text('source')!,
      type: text('type')!,
      key: text('subject') ?? text('partitionkey') ?? id,
      data: attributes['data'],
      time: text('time') ?? '',
      traceparent: text('traceparent'),
      sequence: sequence === undefined ? undefined : Number(sequence),
      previousTime: text('previoustime'),
    },
  }
}
