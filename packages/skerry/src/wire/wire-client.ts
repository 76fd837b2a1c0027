/**
 * The calling end of a connection: calls get their numbers, go out as far as the answering end grants, and are settled by their answers. What
 * has not gone out when the connection takes no more is handed back, to go another way.
 */
import type { Duplex } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import { SkerryError } from '../base/errors.ts'
import { Fifo } from '../base/fifo.ts'
import type { CallRequest, CallResponse } from '../client/link.ts'
import { platformProblem } from '../contract/problem.ts'
import { timeLeftForCallee } from '../http/deadline-header.ts'
import { interpret } from '../http/http-link.ts'
import { formatTraceparent } from '../telemetry/trace-context.ts'
import { CallsInProgress } from './calls-in-progress.ts'
import type { ConnectionOwner } from './connection.ts'
import { WireConnection } from './connection.ts'
import type { Hello } from './frame.ts'
import { ANSWER_HEAD_BYTES, HEAD_BYTES, KIND, MAX_CALL_HEAD_BYTES, PART_BYTES, ProtocolError, readAnswer, readHello } from './frame.ts'

export interface WireClientOptions {
  readonly socket: Duplex
  readonly head: Buffer
  readonly clock: Clock
  readonly maxAnswerBytes: number
  /** Whom this speaks with, for people. */
  readonly peer: string
  /** Sends a call that has not gone out here. */
  readonly otherwise: (request: CallRequest) => Promise<CallResponse>
  /** The answering end has granted calls, or the connection is over. */
  readonly onBegun: () => void
}

/** Calls that wait until others are answered. */
const MAX_WAITING_CALLS = 1_000
const LAST_NUMBER = 0xffff_ffff
/** The status, which HTTP does not know, of an answer that nobody waits for. */
export const CANCELLED_STATUS = 499

interface PendingCall {
  readonly request: CallRequest
  readonly target: string
  readonly body: string | undefined
  readonly bodyBytes: number
  /** Undefined when nobody waits for the answer any more. */
  settle: ((response: CallResponse | Promise<CallResponse>) => void) | undefined
  readonly fail: (error: SkerryError) => void
  number: number
  parts: Buffer[] | undefined
  partBytes: number
}

export class WireClient implements ConnectionOwner {
  readonly #options: WireClientOptions
  readonly #connection: WireConnection
  readonly #calls = new CallsInProgress<PendingCall>()
  readonly #waiting = new Fifo<PendingCall>()
  #granted: Hello | undefined
  #isLeaving = false
  #bytesInProgress = 0
  #lastNumber = 0

  constructor(options: WireClientOptions) {
    this.#options = options
    this.#connection = new WireConnection(options.socket, options.clock, HEAD_BYTES + ANSWER_HEAD_BYTES + PART_BYTES, this)
    this.#connection.begin(options.head)
  }

  /** Whether new calls may go this way. */
  get isTaking(): boolean {
    return this.#granted !== undefined && !this.#isLeaving
  }

  /** Sends a call that `encode` has turned into this request; another way when it is too large for this one. */
  send(request: CallRequest, target: string, body: string | undefined): Promise<CallResponse> {
    const bodyBytes = body === undefined ? 0 : Buffer.byteLength(body)
    const headBytes = target.length + ((request.userAgent?.length ?? 0) + (request.idempotencyKey?.length ?? 0)) * 3
    if (bodyBytes > this.#granted!.maxBodyBytes || headBytes > MAX_CALL_HEAD_BYTES / 2) return this.#options.otherwise(request)
    return new Promise((settle, fail) => {
      const pending: PendingCall = { request, target, body, bodyBytes, settle, fail, number: 0, parts: undefined, partBytes: 0 }
      if (this.#waiting.size === 0 && this.#mayGo(bodyBytes)) this.#write(pending)
      else if (this.#waiting.size >= MAX_WAITING_CALLS)
        return settle({ ok: false, problem: platformProblem('overloaded'), reason: 'as many calls wait for others as may be' })
      else this.#waiting.push(pending)
      const giveUp = (): void => this.#giveUp(pending)
      if (request.whenGivenUp === undefined) request.signal().addEventListener('abort', giveUp, { once: true })
      else request.whenGivenUp(giveUp)
    })
  }

  close(): void {
    this.#connection.destroy('this side closed the connection')
  }

  take(kind: number, number: number, bytes: Buffer, from: number, to: number): void {
    if (this.#granted === undefined) {
      if (kind !== KIND.hello) throw new ProtocolError('another frame than hello at the beginning')
      this.#granted = readHello(bytes, from, to)
      this.#options.onBegun()
    } else if (kind === KIND.answer) this.#answered(number, bytes, from, to)
    else if (kind === KIND.part) this.#keepPart(this.#callOf(number), bytes, from, to)
    else if (kind === KIND.goaway) this.#leave()
    else throw new ProtocolError(`a frame of the kind ${kind}, which only callers send`)
  }

  drained(): void {
    this.#sendWaiting()
  }

  closed(reason: string): void {
    const hadBegun = this.#granted !== undefined
    this.#isLeaving = true
    for (const { fail, settle } of this.#calls.takeAll())
      if (settle !== undefined) fail(new SkerryError('unavailable', `${this.#options.peer}: ${reason}`, { data: { unsent: false } }))
    this.#handBack()
    if (!hadBegun) this.#options.onBegun()
  }

  #mayGo(bodyBytes: number): boolean {
    const { maxCalls, maxBytes } = this.#granted!
    return this.#calls.size < maxCalls && this.#bytesInProgress + bodyBytes <= maxBytes && !this.#connection.isHeldUp
  }

  #write(pending: PendingCall): void {
    const { request, target, body, bodyBytes } = pending
    do this.#lastNumber = this.#lastNumber === LAST_NUMBER ? 1 : this.#lastNumber + 1
    while (this.#calls.has(this.#lastNumber))
    pending.number = this.#lastNumber
    this.#calls.add(pending)
    this.#bytesInProgress += bodyBytes
    const { deadlineAtMs, trace, userAgent, idempotencyKey } = request
    const leftMs = Number.isFinite(deadlineAtMs) ? timeLeftForCallee(deadlineAtMs - this.#options.clock.nowMs()) : undefined
    this.#connection.out.call(pending.number, target, formatTraceparent(trace), userAgent, idempotencyKey, leftMs, body)
    this.#connection.flushSoon()
  }

  #answered(number: number, bytes: Buffer, from: number, to: number): void {
    const call = this.#callOf(number)
    const { status, retryAfterSeconds, degraded, bodyAt } = readAnswer(bytes, from, to)
    this.#keepWithinBounds(call, to - from)
    this.#calls.delete(call)
    this.#bytesInProgress -= call.bodyBytes
    const text = call.parts === undefined ? bytes.toString('utf8', bodyAt, to) : joined(call.parts, bytes, bodyAt, to)
    const retryAfter = retryAfterSeconds === undefined ? undefined : String(retryAfterSeconds)
    const response = interpret(call.request.operation, { status, text, retryAfter, degraded })
    call.settle?.(this.#isLeaving ? Promise.resolve(response).then((answered) => ({ ...answered, leaving: true })) : response)
    if (this.#waiting.size > 0) this.#sendWaiting()
    if (this.#isLeaving && this.#calls.size === 0) this.#connection.end()
  }

  #callOf(number: number): PendingCall {
    const call = this.#calls.get(number)
    if (call === undefined) throw new ProtocolError(`an answer to the call ${number}, which is not in progress`)
    return call
  }

  #keepPart(call: PendingCall, bytes: Buffer, from: number, to: number): void {
    this.#keepWithinBounds(call, to - from)
    if (call.settle !== undefined) (call.parts ??= []).push(Buffer.from(bytes.subarray(from, to)))
  }

  #keepWithinBounds(call: PendingCall, bytes: number): void {
    call.partBytes += bytes
    const { maxAnswerBytes, peer } = this.#options
    if (call.settle === undefined || call.partBytes <= maxAnswerBytes) return
    call.fail(new SkerryError('unavailable', `${peer}: its answer is larger than ${maxAnswerBytes} bytes`, { data: { unsent: false } }))
    this.#cancel(call)
  }

  /** Its caller has stopped waiting. The place that it takes is free when the answering end says so. */
  #giveUp(call: PendingCall): void {
    if (call.settle === undefined || (call.number !== 0 && this.#calls.get(call.number) !== call)) return
    if (call.number === 0) call.settle = undefined
    else {
      this.#cancel(call)
      this.#connection.suspect()
    }
  }

  #cancel(call: PendingCall): void {
    call.settle = undefined
    call.parts = undefined
    this.#connection.out.sign(KIND.cancel, call.number)
    this.#connection.flushSoon()
  }

  #sendWaiting(): void {
    for (let first = this.#waiting.first; first !== undefined; first = this.#waiting.first) {
      if (first.settle !== undefined && !this.#mayGo(first.bodyBytes)) return
      this.#waiting.shift()
      if (first.settle !== undefined) this.#write(first)
    }
  }

  /** The answering end is about to stop: it answers what it has. */
  #leave(): void {
    this.#isLeaving = true
    this.#handBack()
    if (this.#calls.size === 0) this.#connection.end()
  }

  #handBack(): void {
    for (let call = this.#waiting.shift(); call !== undefined; call = this.#waiting.shift())
      call.settle?.(this.#options.otherwise(call.request))
  }
}

function joined(parts: readonly Buffer[], bytes: Buffer, bodyAt: number, to: number): string {
  return Buffer.concat([...parts, bytes.subarray(bodyAt, to)]).toString('utf8')
}
