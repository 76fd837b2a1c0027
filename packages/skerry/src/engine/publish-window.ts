/**
 * For engines: what has been given to `publish()` and not been answered. Messages leave in the order of the calls, a bounded number of them
 * at a time, and each gets exactly one outcome: its answer, or `failed` when the connection is lost or the answer is overdue. How a message is
 * sent, and what an answer means, is the engine's.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { Message, PublishOutcome } from './broker.ts'
import { PublishBatch } from './publish-batch.ts'
import { within } from './within.ts'

const CLOSE_TIMEOUT_MS = 5_000

/** What is on its way and not yet answered: a message, or one of the copies it travels as. */
export interface Unconfirmed {
  readonly bytes: number
  /** Told once, whatever becomes of it. */
  readonly answer: (outcome: PublishOutcome) => void
}

export interface PublishWindowOptions {
  readonly clock: Clock
  /** For reasons, such as `RabbitMQ at mq:5672`. */
  readonly description: string
  /** How many may be on their way. A message that travels as several copies starts when there is room for one. */
  readonly maxUnconfirmed: number
  /** How many bytes may be on their way. One larger message travels alone. */
  readonly maxUnconfirmedBytes: number
  /** What has no answer after so long, in milliseconds, has failed, and so has what could not even be sent. At the latest half as late again. */
  readonly confirmTimeoutMs: number
  /** Why an answer that is overdue may be missing. */
  readonly overdue: string
  readonly sizeOf: (message: Message) => number
  /** Asked when there is room, in order. `wait`: neither this one nor any behind it, until `pump()` is called. An outcome: not sent at all. */
  readonly decide?: (message: Message) => 'send' | 'wait' | PublishOutcome
  /** Gives what it sends to `add()`, and tells `answer` once. */
  readonly send: (message: Message, answer: Unconfirmed['answer']) => void
}

export class PublishWindow<Sent extends Unconfirmed> {
  readonly #options: PublishWindowOptions
  /** Calls with messages not sent yet, oldest first. */
  readonly #waiting: PublishBatch[] = []
  /** Since when what was sent has no answer, in milliseconds, oldest first. */
  readonly #unconfirmed = new Map<Sent, number>()
  #unconfirmedBytes = 0
  #isOpen = false
  /** Why messages fail at once. Undefined at first too: what is published during the first attempt to connect waits for it. */
  #refusal: string | undefined
  #heldReason: string | undefined
  #stalledSinceMs: number
  #pumping = false
  #closed = false
  #sweeper: Timer | undefined
  #onIdle: (() => void) | undefined

  constructor(options: PublishWindowOptions) {
    this.#options = options
    this.#stalledSinceMs = options.clock.nowMs()
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Sent and not answered, oldest first. */
  get unconfirmed(): Iterable<Sent> {
    return this.#unconfirmed.keys()
  }

  publish(messages: readonly Message[]): Promise<readonly PublishOutcome[]> {
    if (messages.length === 0) return Promise.resolve([])
    if (this.#refusal !== undefined) {
      const failed: PublishOutcome = { kind: 'failed', reason: this.#refusal }
      return Promise.resolve(messages.map(() => failed))
    }
    return new Promise((resolve) => {
      this.#waiting.push(new PublishBatch(messages, resolve))
      this.pump()
      this.#sweepLater()
    })
  }

  /** There is a connection to send on. */
  open(): void {
    if (this.#closed) return
    this.#isOpen = true
    this.#refusal = undefined
    this.pump()
  }

  /** Sends nothing while there is a reason not to; what waits longer than the timeout fails with it. */
  hold(reason: string | undefined): void {
    this.#heldReason = reason
    this.#stalledSinceMs = this.#options.clock.nowMs()
    this.pump()
  }

  /** The connection is gone, or could not be made: everything has failed, and so does what comes until `open()`. */
  fail(reason: string): void {
    this.#isOpen = false
    this.#heldReason = undefined
    this.#stalledSinceMs = this.#options.clock.nowMs()
    if (!this.#closed) this.#refusal = reason
    const failed: PublishOutcome = { kind: 'failed', reason }
    for (const sent of this.#unconfirmed.keys()) this.settle(sent, failed)
    this.#failWaiting(reason)
  }

  /** Sends nothing more; resolves when what was sent has been answered, or given up after five seconds. */
  async close(): Promise<void> {
    this.#closed = true
    const reason = `the connection to ${this.#options.description} was closed`
    this.#refusal = reason
    this.#failWaiting(reason)
    if (this.#unconfirmed.size > 0)
      await within(this.#options.clock, CLOSE_TIMEOUT_MS, new Promise<void>((resolve) => (this.#onIdle = resolve)))
    this.fail(reason)
    this.#sweeper?.cancel()
  }

  /** From `send`: this is on its way. */
  add(sent: Sent): void {
    this.#unconfirmed.set(sent, this.#options.clock.nowMs())
    this.#unconfirmedBytes += sent.bytes
  }

  /** Whether it still waits for its answer. */
  has(sent: Sent): boolean {
    return this.#unconfirmed.has(sent)
  }

  /** The first answer counts; what comes after it is too late. */
  settle(sent: Sent, outcome: PublishOutcome): void {
    if (!this.#unconfirmed.delete(sent)) return
    this.#unconfirmedBytes -= sent.bytes
    sent.answer(outcome)
    if (this.#unconfirmed.size === 0) this.#onIdle?.()
    this.pump()
  }

  /** Sends what there is room for, in a microtask: answers come in bunches, and by then a connection that was lost with them is known to be. */
  pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    queueMicrotask(() => {
      this.#pumping = false
      for (let batch = this.#waiting[0]; batch !== undefined; batch = this.#waiting[0]) if (!this.#sendNext(batch)) return
    })
  }

  #sendNext(batch: PublishBatch): boolean {
    const index = batch.next
    const message = batch.messages[index]!
    if (!this.#isOpen || this.#heldReason !== undefined || !this.#hasRoomFor(message)) return false
    const decision = this.#options.decide?.(message) ?? 'send'
    if (decision === 'wait') return false
    if (++batch.next === batch.messages.length) this.#waiting.shift()
    const answer = (outcome: PublishOutcome): void => batch.settle(index, outcome)
    if (decision === 'send') this.#options.send(message, answer)
    else answer(decision)
    return true
  }

  #hasRoomFor(message: Message): boolean {
    if (this.#unconfirmed.size === 0) return true
    const { maxUnconfirmed, maxUnconfirmedBytes, sizeOf } = this.#options
    return this.#unconfirmed.size < maxUnconfirmed && this.#unconfirmedBytes + sizeOf(message) <= maxUnconfirmedBytes
  }

  #failWaiting(reason: string): void {
    for (const batch of this.#waiting.splice(0)) batch.failUnsent({ kind: 'failed', reason })
  }

  /** One timer for all messages. */
  #sweepLater(): void {
    this.#sweeper ??= this.#options.clock.setTimer(this.#options.confirmTimeoutMs / 2, () => {
      this.#sweeper = undefined
      this.#sweep()
      if (this.#unconfirmed.size > 0 || this.#waiting.length > 0) this.#sweepLater()
    })
  }

  #sweep(): void {
    const { clock, confirmTimeoutMs, description, overdue } = this.#options
    const overdueMs = clock.nowMs() - confirmTimeoutMs
    for (const [sent, sentMs] of this.#unconfirmed) {
      if (sentMs > overdueMs) break
      this.settle(sent, { kind: 'failed', reason: overdue })
    }
    if ((this.#isOpen && this.#heldReason === undefined) || this.#stalledSinceMs > overdueMs) return
    this.#failWaiting(this.#heldReason ?? `${description} could not be reached within ${confirmTimeoutMs} ms`)
  }
}
