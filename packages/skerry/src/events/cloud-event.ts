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

/**
 * How long an identifier may be: PostgreSQL's indexes take 2,704 bytes in a row, and a row holds up to two of them. What is longer could
 * not be remembered, and would come back for ever.
 */
export const MAX_IDENTIFIER_BYTES = 1_000

export type ReadResult = { readonly ok: true; readonly envelope: Envelope } | { readonly ok: false; readonly problem: string }

// eslint-disable-next-line no-control-regex -- control characters are what is looked for; CloudEvents 1.0, 3.1, forbids them
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f]/

/** Why a text cannot identify anything: the end of a sentence that begins with its name. Undefined when it can. */
export function problemOfIdentifier(text: string): string | undefined {
  if (Buffer.byteLength(text) > MAX_IDENTIFIER_BYTES) return `is longer than ${MAX_IDENTIFIER_BYTES} bytes`
  if (FORBIDDEN.test(text) || !text.isWellFormed()) return 'holds control characters or broken Unicode'
  return undefined
}

/**
 * Reads an envelope from an untrusted body. Unknown attributes are ignored, as the specification asks. So is a `sequence` that is not
 * Skerry's: others number what they like, and only a number that follows an event of the same key can put it in order.
 */
export function readCloudEvent(body: string): ReadResult {
  let event: unknown
  try {
    event = JSON.parse(body)
  } catch (error) {
    return { ok: false, problem: `the body is not JSON: ${error instanceof Error ? error.message : String(error)}` }
  }
  if (typeof event !== 'object' || event === null || Array.isArray(event)) return { ok: false, problem: 'the body is not a JSON object' }
  const attributes = event as Record<string, unknown>
  if (attributes['specversion'] !== '1.0')
    return { ok: false, problem: `specversion is ${JSON.stringify(attributes['specversion'])}, expected "1.0"` }
  for (const required of ['id', 'source', 'type'])
    if (typeof attributes[required] !== 'string' || attributes[required] === '')
      return { ok: false, problem: `the attribute "${required}" is missing` }
  const text = (name: string): string | undefined => (typeof attributes[name] === 'string' ? attributes[name] : undefined)
  const id = text('id')!
  const source = text('source')!
  const type = text('type')!
  const key = text('subject') ?? text('partitionkey') ?? id
  for (const [name, value] of Object.entries({ id, source, type, subject: key })) {
    const problem = problemOfIdentifier(value)
    if (problem !== undefined) return { ok: false, problem: `the attribute "${name}" ${problem}` }
  }
  const previousTime = timeIn(text('previoustime'))
  const sequence = text('sequence')
  const isOurs = sequence === '1' || (sequence !== undefined && /^[1-9]\d{0,14}$/.test(sequence) && previousTime !== undefined)
  return {
    ok: true,
    envelope: {
      id,
      source,
      type,
      key,
      data: attributes['data'],
      time: text('time') ?? '',
      traceparent: text('traceparent'),
      sequence: isOurs ? Number(sequence) : undefined,
      previousTime: isOurs ? previousTime : undefined,
    },
  }
}

function timeIn(text: string | undefined): string | undefined {
  return text === undefined || Number.isNaN(Date.parse(text)) ? undefined : text
}
