/**
 * The inbox at work: receives what the broker delivers to one service, sees to it that each event takes effect once and in
 * the order of its key, and keeps what cannot be handled yet. It answers the broker only after the outcome is committed.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { sleep } from '../base/clock.ts'
import { crashPoint } from '../base/crash-points.ts'
import type { NewId } from '../base/id.ts'
import type { Random } from '../base/random.ts'
import type { Contract } from '../contract/contract.ts'
import { validate } from '../contract/schema.ts'
import type { Broker, Delivery, Disposition, Subscription } from '../engine/broker.ts'
import type { Database } from '../engine/database.ts'
import { DatabaseError } from '../engine/database.ts'
import type { Log } from '../telemetry/log.ts'
import type { Scope } from '../telemetry/scope.ts'
import { runInScope } from '../telemetry/scope.ts'
import { childTrace, parseTraceparent } from '../telemetry/trace-context.ts'
import type { Envelope } from './cloud-event.ts'
import { readCloudEvent } from './cloud-event.ts'
import type { EventFailure } from './event-failure.ts'
import { describeFailure, InvalidEvent, UndeclaredEvent } from './event-failure.ts'
import type { Arrival, RetrySettings } from './inbox.ts'
import { afterFailure, arrival, BEGIN_GRACE_MS, RETRY_DEFAULTS } from './inbox.ts'
import type { DeliveryRow, StoredMessage } from './inbox-store.ts'
import * as store from './inbox-store.ts'
import { KeyedQueue } from './keyed-queue.ts'
import type { EventHandler, EventMeta } from './subscription.ts'
import type { TransactionRunner } from './transaction-runner.ts'

export interface ConsumerOptions {
  /** The consuming service: the name of the consumer. */
  readonly service: string
  /** The contracts whose events it consumes. */
  readonly contracts: readonly Contract[]
  readonly handlers: readonly EventHandler[]
  readonly database: Database
  readonly transactions: TransactionRunner
  readonly broker: Broker
  readonly clock: Clock
  readonly random: Random
  readonly newId: NewId
  readonly log: Log
  readonly retry?: RetrySettings
}

export interface RunningConsumer {
  /** True when nothing is being handled. */
  readonly idle: boolean
  /** Looks for kept messages that have fallen due. */
  wake(): void
  /** Takes nothing more from the broker and resolves when what is in progress has been answered. */
  close(): Promise<void>
}

/** Deliveries in progress at once; those of one key still go one after the other. */
const PREFETCH = 32
const CLAIM_LIMIT = 50
/** How long another instance may take over a claimed retry, and how often early messages are looked at again. */
const CLAIM_MS = 60_000
const EARLY_RECHECK_MS = 10_000
const IDLE_POLL_MS = 5_000

/** Starts consuming. Does not wait for the broker: what is kept here is handled meanwhile, and messages come when it does. */
export function startConsumer(options: ConsumerOptions): RunningConsumer {
  const consumer = new EventConsumer(options)
  consumer.start()
  return consumer
}

/** How many attempts a message has had, including this one. */
interface Tries {
  readonly attempts: number
  readonly deferrals: number
  readonly firstSeenMs: number
  /** A row in `skerry_delivery` stands for it. */
  readonly kept: boolean
}

class EventConsumer implements RunningConsumer {
  readonly #options: ConsumerOptions
  readonly #handlers: ReadonlyMap<string, EventHandler>
  readonly #retry: RetrySettings
  readonly #byKey = new KeyedQueue()
  /** Keys of which messages are known to be waiting for an earlier one. */
  readonly #keysWithEarly = new Set<string>()
  readonly #subscribedSinceMs = new Map<string, number>()
  #subscription: Subscription | undefined
  #subscribing: Promise<void> | undefined
  #timer: Timer | undefined
  #pumping: Promise<void> | undefined
  #closed = false

  constructor(options: ConsumerOptions) {
    this.#options = options
    this.#handlers = new Map(options.handlers.map((handler) => [handler.event.type, handler]))
    this.#retry = options.retry ?? RETRY_DEFAULTS
  }

  get idle(): boolean {
    return this.#byKey.size === 0 && this.#pumping === undefined
  }

  start(): void {
    this.#subscribing = this.#subscribe().catch((error: unknown) => {
      if (!this.#closed) this.#options.log.error('The subscription could not be made; restart this host once the cause is gone', { cause: error })
    })
    this.wake()
  }

  async #subscribe(): Promise<void> {
    const { broker, service, contracts } = this.#options
    this.#subscription = await broker.subscribe({
      name: service,
      topics: contracts.map((contract) => contract.name),
      prefetch: PREFETCH,
      handle: (delivery) => this.#receive(delivery),
    })
    await this.#rememberSince()
  }

  /** Must come after the queue is in place: whatever is published later than this moment reaches it. */
  async #rememberSince(): Promise<void> {
    const { contracts, database, service, clock, log } = this.#options
    for (const { name } of contracts)
      while (!this.#closed && !this.#subscribedSinceMs.has(name))
        try {
          this.#subscribedSinceMs.set(name, (await store.subscribedSince(database, service, name, clock.now())).getTime())
        } catch (error) {
          log.warn('The beginning of a subscription could not be recorded and will be tried again', { topic: name, cause: error })
          await sleep(clock, IDLE_POLL_MS)
        }
  }

  wake(): void {
    if (this.#closed || this.#pumping !== undefined) return
    this.#timer?.cancel()
    this.#pumping = this.#pump()
      .catch((error: unknown) => {
        this.#options.log.warn('Kept messages could not be read and will be looked for again', { cause: error })
        return IDLE_POLL_MS
      })
      .then((waitMs) => {
        this.#pumping = undefined
        if (!this.#closed) this.#timer = this.#options.clock.setTimer(waitMs, () => this.wake())
      })
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    // While the broker is down the subscription is still being made; closing the broker ends that.
    await this.#subscription?.close()
    await this.#pumping
  }

  async #receive({ message, redelivered }: Delivery): Promise<Disposition> {
    crashPoint('inbox.received')
    const read = readCloudEvent(message.body)
    try {
      if (!read.ok) {
        await this.#buryUndecodable(message.id, message.topic, message.type, message.body, read.problem)
        return 'ack'
      }
      const stored: StoredMessage = { consumer: this.#options.service, topic: message.topic, envelope: read.envelope, body: message.body }
      await this.#byKey.run(keyOf(read.envelope), () => this.#takeIn(stored, redelivered))
      crashPoint('inbox.acknowledged')
      return 'ack'
    } catch (error) {
      this.#options.log.warn('A message could not be recorded and stays with the broker', { message: message.id, cause: error })
      return 'requeue'
    }
  }

  async #takeIn(message: StoredMessage, redelivered: boolean): Promise<void> {
    const { database, clock } = this.#options
    const now = clock.now()
    let tries: Tries = { attempts: 1, deferrals: 0, firstSeenMs: now.getTime(), kept: false }
    if (redelivered) {
      const counted = await store.countAttempt(database, message, new Date(now.getTime() + CLAIM_MS), now)
      tries = { ...tries, ...counted, kept: true }
      crashPoint('inbox.attempt-counted')
    }
    await this.#process(message, tries)
  }

  /** Handles one message and everything of its key that was waiting for it. Rejects only when nothing could be recorded. */
  async #process(first: StoredMessage, firstTries: Tries): Promise<void> {
    let message: StoredMessage | undefined = first
    let tries = firstTries
    while (message !== undefined) {
      const done = await this.#handle(message, tries)
      if (!done) return
      const { envelope }: StoredMessage = message
      message = undefined
      if (envelope.sequence === undefined || !this.#keysWithEarly.has(keyOf(envelope))) return
      const next = await store.findNext(this.#options.database, this.#options.service, envelope.source, envelope.key, envelope.sequence)
      if (next === undefined) this.#keysWithEarly.delete(keyOf(envelope))
      else {
        message = fromRow(this.#options.service, next)
        tries = triesOf(next, 1)
      }
    }
  }

  /** True when the message is done, one way or another; false when it waits. */
  async #handle(message: StoredMessage, tries: Tries): Promise<boolean> {
    const handler = this.#handlers.get(message.envelope.type)
    const scope = this.#scopeOf(message.envelope)
    try {
      if (tries.attempts > this.#retry.maxAttempts) throw new Error(`the process ended during each of ${this.#retry.maxAttempts} attempts`)
      const outcome = handler?.kind === 'effect' ? await this.#handleEffect(handler, message, tries, scope) : await this.#handleInTransaction(handler, message, tries, scope)
      if (outcome === 'early') return false
      crashPoint('inbox.committed')
      return true
    } catch (error) {
      if (error instanceof DatabaseError && (error.kind === 'unavailable' || error.kind === 'outcome-unknown')) throw error
      return await runInScope(scope, () => this.#recordFailure(message, tries, describeFailure(error)))
    }
  }

  async #handleInTransaction(handler: EventHandler | undefined, message: StoredMessage, tries: Tries, scope: Scope): Promise<'done' | 'early'> {
    const { service, transactions } = this.#options
    const data = await this.#check(handler, message.envelope)
    return transactions(scope, 'repeatable read', async (open) => {
      const verdict = await this.#arrive(open.transaction, message, tries)
      crashPoint('inbox.cursor-advanced')
      if (verdict === 'early') return verdict
      if (verdict === 'fresh' && handler?.kind === 'transactional') await handler.run(data, metaOf(message.envelope, tries), open)
      if (tries.kept) await store.drop(open.transaction, service, message.envelope.id)
      crashPoint('inbox.handled')
      return 'done'
    })
  }

  async #handleEffect(handler: EventHandler & { kind: 'effect' }, message: StoredMessage, tries: Tries, scope: Scope): Promise<'done' | 'early'> {
    const { service, transactions, database } = this.#options
    const { envelope } = message
    const data = await this.#check(handler, envelope)
    const known = envelope.sequence === undefined ? await store.isRemembered(database, service, envelope.id) : await this.#look(message, tries)
    if (known === 'handle' || known === 'begin' || known === false) {
      await runInScope(scope, () => handler.run(data, metaOf(envelope, tries)))
      crashPoint('inbox.handled')
    }
    return transactions(scope, 'repeatable read', async ({ transaction }) => {
      const verdict = await this.#arrive(transaction, message, tries)
      if (verdict !== 'early' && tries.kept) await store.drop(transaction, service, envelope.id)
      return verdict === 'early' ? 'early' : 'done'
    })
  }

  /** Validates the data of an event that is handled here; what nobody handles needs no check. */
  async #check(handler: EventHandler | undefined, envelope: Envelope): Promise<unknown> {
    if (handler === undefined) {
      const declared = this.#options.contracts.some((contract) => Object.values(contract.events).some((event) => event.type === envelope.type))
      if (!declared) throw new UndeclaredEvent(`no contract that ${this.#options.service} uses declares ${envelope.type}`)
      return undefined
    }
    const validation = await validate(handler.event.data, envelope.data)
    if (!validation.ok) throw new InvalidEvent(validation.issues.map((issue) => `${issue.path || 'the data'}: ${issue.message}`).join('; '))
    return validation.value
  }

  /** Claims the message's place in its key, in the open transaction; keeps it there when its turn has not come. */
  async #arrive(on: OpenQueryable, message: StoredMessage, tries: Tries): Promise<'fresh' | 'duplicate' | 'early'> {
    const { service, clock } = this.#options
    const { source, key, sequence, id } = message.envelope
    if (sequence === undefined) return (await store.remember(on, service, id, clock.now())) ? 'fresh' : 'duplicate'
    if (await store.advance(on, service, source, key, sequence)) return 'fresh'
    const verdict = this.#decide(message, tries, await store.readCursor(on, service, source, key))
    if (verdict === 'begin' && (await store.begin(on, service, source, key, sequence))) return 'fresh'
    if (verdict === 'duplicate') return 'duplicate'
    this.#keysWithEarly.add(keyOf(message.envelope))
    const now = clock.now()
    const recheckMs = message.envelope.previousTime === undefined ? EARLY_RECHECK_MS : BEGIN_GRACE_MS
    await store.keep(on, message, { reason: 'early', attempts: tries.attempts - 1, deferrals: tries.deferrals, nextAt: new Date(now.getTime() + recheckMs), now, error: undefined })
    crashPoint('inbox.early-parked')
    return 'early'
  }

  async #look(message: StoredMessage, tries: Tries): Promise<Arrival> {
    const { database, service } = this.#options
    return this.#decide(message, tries, await store.readCursor(database, service, message.envelope.source, message.envelope.key))
  }

  #decide({ envelope, topic }: StoredMessage, tries: Tries, cursor: number | undefined): Arrival {
    const previousAtMs = envelope.previousTime === undefined ? undefined : Date.parse(envelope.previousTime)
    return arrival(
      { cursor, sequence: envelope.sequence!, previousAtMs, subscribedSinceMs: this.#subscribedSinceMs.get(topic), firstSeenMs: tries.firstSeenMs },
      this.#options.clock.nowMs(),
    )
  }

  async #recordFailure(message: StoredMessage, tries: Tries, failure: EventFailure): Promise<boolean> {
    const { database, clock, random, log, newId, service } = this.#options
    const now = clock.now()
    const attempts = failure.kind === 'infrastructure' ? tries.attempts - 1 : tries.attempts
    const deferrals = failure.kind === 'infrastructure' ? tries.deferrals + 1 : tries.deferrals
    const next = afterFailure(failure.kind, attempts, deferrals, now.getTime(), random, this.#retry)
    const about = { event: message.envelope.type, message: message.envelope.id, key: message.envelope.key, attempt: tries.attempts, cause: failure.error }
    if ('retryAtMs' in next) {
      await store.keep(database, message, { reason: 'retry', attempts, deferrals, nextAt: new Date(next.retryAtMs), now, error: failure.message })
      log.warn('An event could not be handled and will be tried again', about)
      crashPoint('inbox.failure-recorded')
      this.#scheduleBy(next.retryAtMs)
      return false
    }
    const letter: store.DeadLetter = {
      id: newId(),
      cause: failure.cause ?? next.deadLetter,
      error: failure.message,
      stack: failure.stack,
      errorHash: failure.hash,
      attempts: tries.attempts,
      type: message.envelope.type,
      traceId: parseTraceparent(message.envelope.traceparent)?.traceId,
      diedAt: now,
    }
    // An undeclared event is nothing that later ones of its key could depend on here, so it does not hold them back; others do, until they are replayed.
    await database.transaction('read committed', async (transaction) => {
      await store.bury(transaction, message, letter)
      if (failure.cause === 'undeclared') await this.#arrive(transaction, message, tries)
    })
    log.error('An event is a dead letter: it will not be tried again by itself', { ...about, service, deadLetter: letter.id })
    crashPoint('inbox.dead-lettered')
    return failure.cause === 'undeclared'
  }

  async #buryUndecodable(messageId: string, topic: string, type: string, body: string, problem: string): Promise<void> {
    const { service, database, clock, newId, log } = this.#options
    const envelope: Envelope = { id: messageId, source: topic, type, key: messageId, data: undefined, time: '', traceparent: undefined, sequence: undefined, previousTime: undefined }
    const failure = describeFailure(new Error(problem))
    await database.transaction('read committed', (transaction) =>
      store.bury(transaction, { consumer: service, topic, envelope, body }, {
        id: newId(),
        cause: 'undecodable',
        error: problem,
        stack: undefined,
        errorHash: failure.hash,
        attempts: 1,
        type,
        traceId: undefined,
        diedAt: clock.now(),
      }),
    )
    log.error('A message that is not a CloudEvent is a dead letter', { message: messageId, topic, reason: problem })
  }

  /** Handles kept messages that are due; returns how long to wait before looking again. */
  async #pump(): Promise<number> {
    const { database, service, clock } = this.#options
    for (;;) {
      const now = clock.now()
      const due = await store.claimDue(database, service, now, new Date(now.getTime() + CLAIM_MS), CLAIM_LIMIT)
      await Promise.all(due.map((row) => this.#processKept(row)))
      if (due.length < CLAIM_LIMIT || this.#closed) break
    }
    const next = await store.nextDue(database, service)
    const waitMs = next === undefined ? IDLE_POLL_MS : next.getTime() - clock.nowMs()
    return Math.max(1, Math.min(IDLE_POLL_MS, waitMs))
  }

  async #processKept(row: DeliveryRow): Promise<void> {
    const message = fromRow(this.#options.service, row)
    await this.#byKey.run(keyOf(message.envelope), async () => {
      try {
        if (row.reason === 'early') {
          this.#keysWithEarly.add(keyOf(message.envelope))
          return await this.#process(message, triesOf(row, 1))
        }
        const now = this.#options.clock.now()
        const counted = await store.countAttempt(this.#options.database, message, new Date(now.getTime() + CLAIM_MS), now)
        crashPoint('inbox.attempt-counted')
        await this.#process(message, { ...counted, firstSeenMs: row.first_at.getTime(), kept: true })
      } catch (error) {
        this.#options.log.warn('A kept message could not be handled now and stays kept', { message: row.message_id, cause: error })
      }
    })
  }

  #scheduleBy(atMs: number): void {
    if (this.#closed || this.#pumping !== undefined) return
    const waitMs = Math.max(1, Math.min(IDLE_POLL_MS, atMs - this.#options.clock.nowMs()))
    this.#timer?.cancel()
    this.#timer = this.#options.clock.setTimer(waitMs, () => this.wake())
  }

  #scopeOf(envelope: Envelope): Scope {
    return {
      service: this.#options.service,
      trace: childTrace(parseTraceparent(envelope.traceparent), this.#options.random),
      deadlineAtMs: Infinity,
    }
  }
}

type OpenQueryable = Parameters<typeof store.advance>[0]

function keyOf({ source, key, sequence, id }: Envelope): string {
  return sequence === undefined ? `${source}\n${id}` : `${source}\n${key}`
}

function fromRow(consumer: string, row: DeliveryRow): StoredMessage {
  const { topic, body } = store.readStoredText(row.envelope)
  const read = readCloudEvent(body)
  if (!read.ok) throw new Error(`the kept message ${row.message_id} cannot be read back: ${read.problem}`)
  return { consumer, topic, envelope: read.envelope, body }
}

function triesOf(row: DeliveryRow, thisOne: 0 | 1): Tries {
  return { attempts: row.attempts + thisOne, deferrals: row.deferrals, firstSeenMs: row.first_at.getTime(), kept: true }
}

function metaOf(envelope: Envelope, tries: Tries): EventMeta {
  return {
    id: envelope.id,
    type: envelope.type,
    source: envelope.source,
    key: envelope.key,
    time: new Date(envelope.time),
    sequence: envelope.sequence,
    attempt: tries.attempts,
  }
}
