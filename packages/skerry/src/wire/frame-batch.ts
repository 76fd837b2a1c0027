/** Frames on their way out, written one behind the other into as few buffers as possible: what one turn of the program says leaves in one piece. */
import type { Hello } from './frame.ts'
import { ANSWER_HEAD_BYTES, CALL_HEAD_BYTES, HEAD_BYTES, HELLO_BYTES, KIND, LENGTH_BYTES, NOT_SAID_16, NOT_SAID_32 } from './frame.ts'

const BUFFER_BYTES = 65_536
/** No character of UTF-16 takes more in UTF-8. */
const MAX_BYTES_PER_CHARACTER = 3

export class FrameBatch {
  #buffer: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  #from = 0
  #at = 0
  #full: Buffer[] = []
  #frames = 0

  /** How many frames `take` would give. */
  get frames(): number {
    return this.#frames
  }

  /** All that has been written since the last time. What is given away is not written to again before `reuse`. */
  take(): readonly Buffer[] {
    const last = this.#buffer.subarray(this.#from, this.#at)
    this.#from = this.#at
    this.#frames = 0
    if (this.#full.length === 0) return last.length === 0 ? [] : [last]
    const all = this.#full
    this.#full = []
    if (last.length > 0) all.push(last)
    return all
  }

  /** Nobody reads any more what was given away last. */
  reuse(): void {
    if (this.#frames === 0) this.#from = this.#at = 0
  }

  hello({ maxCalls, maxBodyBytes, maxBytes }: Hello): void {
    let at = this.#head(KIND.hello, 0, HELLO_BYTES)
    at = this.#buffer.writeUInt32BE(maxCalls, at)
    at = this.#buffer.writeUInt32BE(maxBodyBytes, at)
    this.#at = this.#buffer.writeUInt32BE(maxBytes, at)
  }

  /** `traceparent` and `target` are ASCII, the latter with at most 65,534 characters, as have the next two. */
  call(
    call: number,
    target: string,
    traceparent: string,
    userAgent: string | undefined,
    idempotencyKey: string | undefined,
    remainingMs: number | undefined,
    body: string | undefined,
  ): void {
    const texts = (userAgent?.length ?? 0) + (idempotencyKey?.length ?? 0) + (body?.length ?? 0)
    const start = this.#room(HEAD_BYTES + CALL_HEAD_BYTES + traceparent.length + target.length + texts * MAX_BYTES_PER_CHARACTER)
    const buffer = this.#buffer
    const head = start + HEAD_BYTES
    let at = head + CALL_HEAD_BYTES
    buffer.writeUInt32BE(remainingMs === undefined ? NOT_SAID_32 : Math.min(remainingMs, NOT_SAID_32 - 1), head)
    buffer[head + 4] = traceparent.length
    buffer.writeUInt16BE(target.length, head + 5)
    at += buffer.write(traceparent, at, 'latin1')
    at += buffer.write(target, at, 'latin1')
    const userAgentBytes = userAgent === undefined ? NOT_SAID_16 : buffer.write(userAgent, at)
    if (userAgent !== undefined) at += userAgentBytes
    buffer.writeUInt16BE(userAgentBytes, head + 7)
    const keyBytes = idempotencyKey === undefined ? NOT_SAID_16 : buffer.write(idempotencyKey, at)
    if (idempotencyKey !== undefined) at += keyBytes
    buffer.writeUInt16BE(keyBytes, head + 9)
    if (body !== undefined) at += buffer.write(body, at)
    this.#end(KIND.call, call, start, at)
  }

  /** The whole answer, or the rest of one whose parts have gone before. `degraded` is ASCII, as headers are. */
  answer(call: number, status: number, retryAfterSeconds: number | undefined, body: string | Buffer | undefined, degraded?: string): void {
    const room = typeof body === 'string' ? body.length * MAX_BYTES_PER_CHARACTER : (body?.length ?? 0)
    const start = this.#room(HEAD_BYTES + ANSWER_HEAD_BYTES + (degraded?.length ?? 0) + room)
    const buffer = this.#buffer
    let at = buffer.writeUInt16BE(status, start + HEAD_BYTES)
    at = buffer.writeUInt32BE(retryAfterSeconds ?? NOT_SAID_32, at)
    at = buffer.writeUInt16BE(degraded?.length ?? NOT_SAID_16, at)
    if (degraded !== undefined) at += buffer.write(degraded, at, 'latin1')
    if (typeof body === 'string') at += buffer.write(body, at)
    else if (body !== undefined) at += body.copy(buffer, at)
    this.#end(KIND.answer, call, start, at)
  }

  part(call: number, bytes: Buffer): void {
    const at = this.#head(KIND.part, call, bytes.length)
    this.#at = at + bytes.copy(this.#buffer, at)
  }

  /** A frame that says nothing but what it is. */
  sign(kind: typeof KIND.cancel | typeof KIND.ping | typeof KIND.pong, call = 0): void {
    this.#at = this.#head(kind, call, 0)
  }

  goaway(reason: string): void {
    const start = this.#room(HEAD_BYTES + reason.length * MAX_BYTES_PER_CHARACTER)
    this.#end(KIND.goaway, 0, start, start + HEAD_BYTES + this.#buffer.write(reason, start + HEAD_BYTES))
  }

  /** Writes the head of a frame whose body has so many bytes, and returns where the body begins. */
  #head(kind: number, call: number, bodyBytes: number): number {
    const start = this.#room(HEAD_BYTES + bodyBytes)
    this.#end(kind, call, start, start + HEAD_BYTES + bodyBytes)
    return start + HEAD_BYTES
  }

  #end(kind: number, call: number, start: number, end: number): void {
    const buffer = this.#buffer
    buffer.writeUInt32BE(end - start - LENGTH_BYTES, start)
    buffer[start + LENGTH_BYTES] = kind
    buffer.writeUInt32BE(call, start + LENGTH_BYTES + 1)
    this.#at = end
    this.#frames++
  }

  /** Where the next frame begins, with so much room behind it. */
  #room(bytes: number): number {
    if (this.#at + bytes <= this.#buffer.length) return this.#at
    if (this.#at > this.#from) this.#full.push(this.#buffer.subarray(this.#from, this.#at))
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(BUFFER_BYTES, bytes))
    this.#from = this.#at = 0
    return 0
  }
}
