/**
 * The answering end: the connections of a listener that speak the fast wire. Each call becomes the request that HTTP would have carried and is
 * answered by what answers those, so that nothing depends on the way that a call has come.
 */
import type { Duplex } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import { DEGRADED } from '../http/degraded-header.ts'
import type { HttpResponse, HttpServerOptions, IncomingHttpMessage, Upgrade, UpgradedConnections } from '../http/server.ts'
import { bodyTooLarge, readJson } from '../http/server.ts'
import type { Log } from '../telemetry/log.ts'
import { CallsInProgress } from './calls-in-progress.ts'
import type { ConnectionOwner } from './connection.ts'
import { WireConnection } from './connection.ts'
import type { Hello } from './frame.ts'
import { HEAD_BYTES, KIND, MAX_CALL_HEAD_BYTES, PART_BYTES, PROTOCOL, ProtocolError, readCall } from './frame.ts'
import { CANCELLED_STATUS } from './wire-client.ts'

/** What each connection is granted. */
const GRANTED: Hello = { maxCalls: 1_000, maxBodyBytes: 262_144, maxBytes: 8_388_608 }
/** How long a client that was sent elsewhere may keep a connection on which nothing happens. */
const LEAVE_MS = 2_000

type ReadCall = ReturnType<typeof readCall>
type Answer = (message: IncomingHttpMessage) => Promise<HttpResponse>

/** The fast wire, to be offered by a listener. */
export const wireUpgrade: Upgrade = {
  protocol: PROTOCOL,
  open: ({ clock, log }: HttpServerOptions, answer: Answer): UpgradedConnections => {
    const sessions = new Set<WireSession>()
    return {
      take(socket, head) {
        const session = new WireSession(socket, clock, log, answer, () => sessions.delete(session))
        sessions.add(session)
        session.begin(head)
      },
      drain() {
        for (const session of sessions) session.leave()
      },
      cut() {
        for (const session of sessions) session.cut()
      },
    }
  },
}

/** One connection and the calls that have come over it. */
class WireSession implements ConnectionOwner {
  readonly #connection: WireConnection
  readonly #clock: Clock
  readonly #log: Log
  readonly #answer: Answer
  readonly #onClosed: () => void
  readonly #calls = new CallsInProgress<IncomingCall>()
  /** Answers that leave in parts, each in its turn. */
  #large: LargeAnswer[] = []
  #bytesInProgress = 0
  #isLeaving = false
  #isLate = false

  constructor(socket: Duplex, clock: Clock, log: Log, answer: Answer, onClosed: () => void) {
    this.#clock = clock
    this.#log = log
    this.#answer = answer
    this.#onClosed = onClosed
    this.#connection = new WireConnection(socket, clock, HEAD_BYTES + MAX_CALL_HEAD_BYTES + GRANTED.maxBodyBytes, this)
  }

  begin(head: Buffer): void {
    this.#connection.out.hello(GRANTED)
    this.#connection.flushSoon()
    this.#connection.begin(head)
  }

  /** Says that it takes no more calls. Those that are on their way meanwhile are answered too; then the client closes the connection. */
  leave(): void {
    if (this.#isLeaving) return
    this.#isLeaving = true
    this.#connection.out.goaway('this server is about to stop')
    this.#connection.flushSoon()
    this.#clock.setTimer(LEAVE_MS, () => {
      this.#isLate = true
      this.#cutWhenIdle()
    })
  }

  cut(): void {
    this.#connection.destroy('this side closed the connection')
  }

  take(kind: number, number: number, bytes: Buffer, from: number, to: number): void {
    if (kind === KIND.call) this.#begin(number, readCall(bytes, from, to), bytes, to)
    else if (kind === KIND.cancel) this.#cancel(number)
    // Of a client that leaves, which closes the connection itself.
    else if (kind !== KIND.goaway) throw new ProtocolError(`a frame of the kind ${kind}, which only servers send`)
  }

  drained(): void {
    this.#sendParts()
  }

  closed(reason: string): void {
    this.#onClosed()
    if (this.#calls.size > 0) this.#log.debug('A connection of a peer was lost with calls in progress', { reason, calls: this.#calls.size })
    for (const call of this.#calls.takeAll()) call.abort()
    this.#large = []
  }

  #begin(number: number, frame: ReadCall, bytes: Buffer, to: number): void {
    const bodyBytes = to - frame.bodyAt
    const { maxCalls, maxBodyBytes, maxBytes } = GRANTED
    if (this.#calls.has(number)) throw new ProtocolError(`the call ${number} a second time`)
    if (this.#calls.size >= maxCalls) throw new ProtocolError(`more than ${maxCalls} calls at once`)
    if (bodyBytes > maxBodyBytes || this.#bytesInProgress + bodyBytes > maxBytes) throw new ProtocolError('more bytes than it was granted')
    const call = new IncomingCall(number, frame, bytes, to)
    this.#calls.add(call)
    this.#bytesInProgress += bodyBytes
    const broke = (error: unknown): void => {
      this.#log.error('A call could not be answered', { cause: error })
      this.cut()
    }
    this.#answer(call).then((response) => {
      try {
        if (this.#calls.get(number) === call) this.#send(number, call, response)
      } catch (error) {
        broke(error)
      }
    }, broke)
  }

  #send(number: number, call: IncomingCall, { status, headers, body, text: asItIs }: HttpResponse): void {
    const retryAfter = headers?.['retry-after']
    const retryAfterSeconds = retryAfter === undefined ? undefined : Number(retryAfter)
    const degraded = headers?.[DEGRADED]
    const text = call.isCancelled ? undefined : (asItIs ?? (body === undefined ? undefined : JSON.stringify(body)))
    if (text !== undefined && text.length > PART_BYTES) {
      this.#large.push({ number, status, retryAfterSeconds, degraded, bytes: Buffer.from(text), at: 0 })
      this.#sendParts()
    } else this.#end(number, call, call.isCancelled ? CANCELLED_STATUS : status, retryAfterSeconds, text, degraded)
  }

  #end(
    number: number,
    call: IncomingCall,
    status: number,
    retryAfterSeconds: number | undefined,
    body: string | Buffer | undefined,
    degraded?: string,
  ): void {
    this.#calls.delete(call)
    this.#bytesInProgress -= call.bodyBytes
    this.#connection.out.answer(number, status, retryAfterSeconds, body, degraded)
    this.#connection.flushSoon()
    if (this.#isLate) this.#cutWhenIdle()
  }

  /** A part of each in turn, as long as the client reads. */
  #sendParts(): void {
    while (!this.#connection.isHeldUp) {
      const answer = this.#large.shift()
      if (answer === undefined) return
      const { number, status, retryAfterSeconds, degraded, bytes, at } = answer
      const rest = bytes.subarray(at)
      if (rest.length <= PART_BYTES) this.#end(number, this.#calls.get(number)!, status, retryAfterSeconds, rest, degraded)
      else {
        this.#connection.out.part(number, rest.subarray(0, PART_BYTES))
        this.#large.push({ ...answer, at: at + PART_BYTES })
      }
      this.#connection.flush()
    }
  }

  #cancel(number: number): void {
    const call = this.#calls.get(number)
    // Its answer may be on its way.
    if (call === undefined) return
    call.abort()
    if (!this.#large.some((answer) => answer.number === number)) return
    this.#large = this.#large.filter((answer) => answer.number !== number)
    this.#end(number, call, CANCELLED_STATUS, undefined, undefined)
  }

  #cutWhenIdle(): void {
    if (this.#calls.size > 0) return
    this.#connection.flush()
    this.cut()
  }
}

interface LargeAnswer {
  readonly number: number
  readonly status: number
  readonly retryAfterSeconds: number | undefined
  readonly degraded: string | undefined
  readonly bytes: Buffer
  readonly at: number
}

/** A call as the request that HTTP would have carried. */
class IncomingCall implements IncomingHttpMessage {
  readonly number: number
  readonly method: string
  readonly url: string
  readonly isOfVersion11 = true
  readonly headers: IncomingHttpMessage['headers']
  readonly remainingMs: number | undefined
  readonly bodyBytes: number
  isCancelled = false
  readonly #bytes: Buffer
  readonly #bodyAt: number
  readonly #to: number
  #controller: AbortController | undefined

  constructor(
    number: number,
    { target, traceparent, userAgent, idempotencyKey, remainingMs, bodyAt }: ReadCall,
    bytes: Buffer,
    to: number,
  ) {
    this.number = number
    const space = target.indexOf(' ')
    this.method = target.slice(0, space)
    this.url = target.slice(space + 1)
    this.headers = {
      host: 'peer',
      'content-type': 'application/json',
      traceparent,
      'user-agent': userAgent,
      'idempotency-key': idempotencyKey,
    }
    this.remainingMs = remainingMs
    this.bodyBytes = to - bodyAt
    this.#bytes = bytes
    this.#bodyAt = bodyAt
    this.#to = to
  }

  readBody(maxBytes: number): unknown {
    if (this.bodyBytes > maxBytes) throw bodyTooLarge(maxBytes)
    return readJson(this.#bytes, 'application/json', this.#bodyAt, this.#to)
  }

  signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.isCancelled) this.#controller.abort()
    return this.#controller.signal
  }

  abort(): void {
    this.isCancelled = true
    this.#controller?.abort()
  }
}
