/**
 * The frames of the fast wire, byte for byte: what docs/reference/wire.md describes. All of them begin with their length (4 bytes, without
 * itself), their kind (1) and the number of the call that they are about (4, zero when about none); numbers are big-endian, text is UTF-8.
 */

/** The name in `Upgrade` and in the answer 101. What cannot be read by those who know version 1 gets another number. */
export const PROTOCOL = 'skerry-wire/1'

export const KIND = { hello: 1, call: 2, answer: 3, part: 4, cancel: 5, ping: 6, pong: 7, goaway: 8 } as const

export const LENGTH_BYTES = 4
/** Length, kind and call. */
export const HEAD_BYTES = LENGTH_BYTES + 5
/** A larger answer comes in parts of this size, so that others get in between. */
export const PART_BYTES = 65_536
/** For target, User-Agent, key and trace of a call, besides its body. Node's own servers take 16 KiB of headers. */
export const MAX_CALL_HEAD_BYTES = 16_384

/** What the peer sent is not the protocol: the connection cannot go on. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
}

/** What the answering side grants: the first frame of a connection. */
export interface Hello {
  /** Calls that may be in progress at once. */
  readonly maxCalls: number
  /** The largest body; a larger one goes over HTTP. */
  readonly maxBodyBytes: number
  /** How many bytes of bodies may be in progress at once. */
  readonly maxBytes: number
}

/** A request as HTTP would carry it, with the headers that matter between hosts. */
export interface CallFrame {
  /** `POST /orders?dry=true` */
  readonly target: string
  readonly traceparent: string
  readonly userAgent: string | undefined
  readonly idempotencyKey: string | undefined
  /** How long the caller still waits; undefined when it does not say. */
  readonly remainingMs: number | undefined
}

export interface AnswerFrame {
  readonly status: number
  readonly retryAfterSeconds: number | undefined
  /** What stands in for something in it, as the header Skerry-Degraded says. */
  readonly degraded: string | undefined
}

export const HELLO_BYTES = 12
export const CALL_HEAD_BYTES = 11
export const ANSWER_HEAD_BYTES = 8
/** In place of a number or a length: it is not said. */
export const NOT_SAID_32 = 0xffff_ffff
export const NOT_SAID_16 = 0xffff

/** A reader of the body of a frame, which stands at `from` to `to`. Throws a `ProtocolError` when it is not one. */
export function readHello(bytes: Buffer, from: number, to: number): Hello {
  // Later versions may say more.
  if (to - from < HELLO_BYTES) throw new ProtocolError('a hello that is too short')
  return { maxCalls: bytes.readUInt32BE(from), maxBodyBytes: bytes.readUInt32BE(from + 4), maxBytes: bytes.readUInt32BE(from + 8) }
}

/** Where the body of the call begins is told through `bodyAt`. */
export function readCall(bytes: Buffer, from: number, to: number): CallFrame & { readonly bodyAt: number } {
  if (to - from < CALL_HEAD_BYTES) throw new ProtocolError('a call that is too short')
  const remainingMs = bytes.readUInt32BE(from)
  const traceparentBytes = bytes[from + 4]!
  const targetBytes = bytes.readUInt16BE(from + 5)
  const userAgentBytes = bytes.readUInt16BE(from + 7)
  const keyBytes = bytes.readUInt16BE(from + 9)
  const traceparentAt = from + CALL_HEAD_BYTES
  const targetAt = traceparentAt + traceparentBytes
  const userAgentAt = targetAt + targetBytes
  const keyAt = userAgentAt + (userAgentBytes === NOT_SAID_16 ? 0 : userAgentBytes)
  const bodyAt = keyAt + (keyBytes === NOT_SAID_16 ? 0 : keyBytes)
  if (bodyAt > to) throw new ProtocolError('a call whose parts are longer than the whole')
  // Each reading costs more than what is read.
  const ascii = bytes.toString('latin1', traceparentAt, userAgentAt)
  return {
    target: ascii.slice(traceparentBytes),
    traceparent: ascii.slice(0, traceparentBytes),
    userAgent: userAgentBytes === NOT_SAID_16 ? undefined : bytes.toString('utf8', userAgentAt, keyAt),
    idempotencyKey: keyBytes === NOT_SAID_16 ? undefined : bytes.toString('utf8', keyAt, bodyAt),
    remainingMs: remainingMs === NOT_SAID_32 ? undefined : remainingMs,
    bodyAt,
  }
}

/** Where the body of the answer begins is told through `bodyAt`. */
export function readAnswer(bytes: Buffer, from: number, to: number): AnswerFrame & { readonly bodyAt: number } {
  if (to - from < ANSWER_HEAD_BYTES) throw new ProtocolError('an answer that is too short')
  const status = bytes.readUInt16BE(from)
  if (status < 200 || status > 599) throw new ProtocolError(`an answer with the status ${status}`)
  const retryAfterSeconds = bytes.readUInt32BE(from + 2)
  const degradedBytes = bytes.readUInt16BE(from + 6)
  const degradedAt = from + ANSWER_HEAD_BYTES
  const bodyAt = degradedAt + (degradedBytes === NOT_SAID_16 ? 0 : degradedBytes)
  if (bodyAt > to) throw new ProtocolError('an answer whose parts are longer than the whole')
  return {
    status,
    retryAfterSeconds: retryAfterSeconds === NOT_SAID_32 ? undefined : retryAfterSeconds,
    degraded: degradedBytes === NOT_SAID_16 ? undefined : bytes.toString('latin1', degradedAt, bodyAt),
    bodyAt,
  }
}
