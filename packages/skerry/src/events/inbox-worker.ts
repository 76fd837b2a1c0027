/**
 * The inbox at work: sees to it that each event takes effect once and in the order of its key, and keeps what cannot be
 * handled yet. What it resolves for is recorded; what it rejects for is not, and must be delivered again.
 */
import type { Clock } from '../base/clock.ts'
import { crashPoint } from '../base/crash-points.ts'
import type { NewId } from '../base/id.ts'
import type { Random } from '../base/random.ts'
import { Semaphore } from '../base/semaphore.ts'
import type { Contract } from '../contract/contract.ts'
import { validate } from '../contract/schema.ts'
import { sensitiveTexts } from '../contract/sensitive.ts'
import type { Database, Transaction } from '../engine/database.ts'
import type { Log } from '../telemetry/log.ts'
import type { Scope } from '../telemetry/scope.ts'
import { runInScope } from '../telemetry/scope.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import type { Death, Undecodable } from './burial.ts'
import { Burial } from './burial.ts'
import type { Envelope } from './cloud-event.ts'
import { readCloudEvent } from './cloud-event.ts'
import type { DeliveredMessage } from './delivered-message.ts'
import { Deliveries } from './delivered-message.ts'
import type { EventFailure } from './event-failure.ts'
import { describeFailure, InvalidEvent, UndeclaredEvent } from './event-failure.ts'
import type { DeadLetter, DeliveryRow, KeptUntil } from './inbox-store.ts'
import * as store from './inbox-store.ts'
import type { Arrival, Cursor, RetrySettings } from './inbox.ts'
import { afterFailure, arrival, GAP_ALARM_MS, recheckAtMs, RETRY_DEFAULTS } from './inbox.ts'
import * as cursors from './key-cursor.ts'
import { KeyedQueue } from './keyed-queue.ts'
import { SharedTransaction } from './shared-transaction.ts'
import type { StoredMessage } from './stored-message.ts'
import { about, keyOf, metaOf, overtaken, readStoredText } from './stored-message.ts'
import type { EventHandler } from './subscription.ts'
import type { OpenTransaction, TransactionRunner } from './transaction-runner.ts'

export interface InboxWorkerOptions {
  /** The consuming service: the name of the consumer. */
  readonly service: string
  /** The contracts whose events it consumes. */
  readonly contracts: readonly Contract[]
  readonly handlers: readonly EventHandler[]
  readonly database: Database
  readonly transactions: TransactionRunner
  readonly clock: Clock
  readonly random: Random
  readonly newId: NewId
  readonly log: Log
  /** Default: nothing is recorded. */
  readonly telemetry?: Telemetry | undefined
  readonly retry?: RetrySettings | undefined
  /** This instance, in this life. */
  readonly owner: string
  /** Since when the consumer holds what is published on a topic; undefined while that is being arranged. */
  readonly subscribedSinceMs: (topic: string) => number | undefined
  /** Since when events of a type are handled that are subscribed to from `now` on; undefined while that is not recorded. */
  readonly startedMs: (type: string) => number | undefined
  /** Told when a message has been kept, and until when. */
  readonly onKept: (untilMs: number) => void
}

/** How long other instances leave alone what this one has claimed; renewed while it is being handled. */
export const CLAIM_MS = 15_000
/** How soon a message is looked at, should this process die between two of its key. */
const NEXT_OF_KEY_MS = 1_000
/** So often in a row a process may have died while it handled a message before that message is handled alone. */
const SUSPECT_AFTER = 2
const NO_LIMIT = 2_147_483_647
const MAX_REMEMBERED_KEYS = 10_000
/** How many deliveries are handled at once of those that share no transaction: each may want a connection. */
const MAX_AT_ONCE = 64

/** How many attempts a message has had, including this one. */
interface Tries {
  readonly attempts: number
  readonly deferrals: number
  readonly firstSeenMs: number
  /** A row in `skerry_delivery` stands for it. */
  readonly kept: boolean
  /** This attempt has been counted in the row. */
  readonly counted: boolean
}

export class InboxWorker {
  readonly #options: InboxWorkerOptions
  readonly #handlers: ReadonlyMap<string, EventHandler>
  readonly #declared: ReadonlySet<string>
  readonly #retry: RetrySettings
  readonly #byKey = new KeyedQueue()
  readonly #shared: SharedTransaction
  readonly #burial: Burial
  readonly #deliveries: Deliveries
  readonly #alone = new KeyedQueue()
  readonly #room = new Semaphore(MAX_AT_ONCE)
  /** Keys of which messages are known to be waiting for an earlier one. Forgetting one only costs time. */
  readonly #keysWithEarly = new Set<string>()
  /** Messages being handled of which a row says that this instance does. */
  readonly #claimed = new Set<string>()

  constructor(options: InboxWorkerOptions) {
    this.#options = options
    this.#handlers = new Map(options.handlers.map((handler) => [handler.event.type, handler]))
    this.#declared = new Set(options.contracts.flatMap((contract) => Object.values(contract.events).map(({ type }) => type)))
    this.#retry = options.retry ?? RETRY_DEFAULTS
    this.#burial = new Burial(options)
    this.#deliveries = new Deliveries(options)
    this.#shared = new SharedTransaction({
      ...options,
      queue: this.#byKey,
      scopeOf: (message) => this.#deliveries.scopeOf(message),
      hasEarly: ({ envelope }) => this.#keysWithEarly.has(keyOf(envelope)),
      effect: (message, open) => this.#effect(message, open),
      alone: (message) => this.#processFirst(message),
    })
  }

  /** True when nothing is being handled. */
  get idle(): boolean {
    return this.#byKey.size === 0
  }

  /** Ids of the messages that this instance has claimed and must hold on to. */
  get claimed(): ReadonlySet<string> {
    return this.#claimed
  }

  /** Takes in a message from the broker. Rejects when nothing could be recorded. */
  async receive(stored: StoredMessage, redelivered: boolean): Promise<void> {
    const message = this.#deliveries.begin(stored)
    try {
      await this.#take(message, redelivered)
    } finally {
      message.span.end()
    }
  }

  #take(message: DeliveredMessage, redelivered: boolean): Promise<void> {
    const key = keyOf(message.envelope)
    if (redelivered) return this.#byKey.run(key, () => this.#room.run(() => this.#processCounted(message)))
    if (this.#mayShare(message)) return this.#shared.handle(message)
    return this.#byKey.run(key, () => this.#processFirst(message))
  }

  /** Handles a kept message that has fallen due. Rejects when nothing could be recorded; its claim then expires. */
  async resume(row: DeliveryRow): Promise<void> {
    const { service } = this.#options
    const { topic, body } = readStoredText(row.envelope)
    const read = readCloudEvent(body)
    if (!read.ok) return this.buryUndecodable({ id: row.message_id, topic, type: '', body }, read.problem)
    const message = this.#deliveries.begin({ consumer: service, topic, envelope: read.envelope, body })
    // Of an earlier life nobody here remembers what waits behind it.
    this.#rememberEarly(message)
    await this.#claiming(message, () =>
      this.#byKey.run(keyOf(message.envelope), async () => {
        const firstSeenMs = row.first_at.getTime()
        const isEarly = row.reason === 'early' && (await this.#look(message, firstSeenMs)) === 'early'
        if (isEarly) await this.#recheckLater(message, firstSeenMs)
        else await this.#processCounted(message)
      }),
    ).finally(() => message.span.end())
  }

  async #recheckLater(message: StoredMessage, firstSeenMs: number): Promise<void> {
    const { service, clock, database, log } = this.#options
    this.#rememberEarly(message)
    const nowMs = clock.nowMs()
    const nextMs = recheckAtMs(firstSeenMs, timeOf(message.envelope.previousTime), nowMs)
    await store.recheckLater(database, service, message.envelope.id, new Date(nextMs))
    this.#options.onKept(nextMs)
    if (nowMs - firstSeenMs >= GAP_ALARM_MS)
      log.warn('An event waits for the one before it of its key, which has not arrived or is a dead letter', {
        ...about(message),
        waitedMs: nowMs - firstSeenMs,
      })
  }

  /** Keeps what is no event as a dead letter. */
  buryUndecodable(message: Undecodable, problem: string): Promise<void> {
    return this.#burial.buryUndecodable(message, problem)
  }

  /** Counts the attempt before it is made, so that a message that kills the process is counted too. */
  async #processCounted(message: DeliveredMessage): Promise<void> {
    await this.#claiming(message, async () => {
      const tries = await this.#countAttempt(message, SUSPECT_AFTER)
      if (tries !== undefined) return this.#process(message, tries)
      // Dead already; or each time it was handled lately the process died. Several such are handled one after the other, so that
      // only the one that kills is counted.
      await this.#alone.run('', async () => {
        const counted = await this.#countAttempt(message, NO_LIMIT)
        if (counted !== undefined) await this.#process(message, counted)
      })
    })
  }

  async #claiming(message: StoredMessage, work: () => Promise<void>): Promise<void> {
    this.#claimed.add(message.envelope.id)
    try {
      await work()
    } finally {
      this.#claimed.delete(message.envelope.id)
    }
  }

  async #countAttempt(message: StoredMessage, maxUnfinished: number): Promise<Tries | undefined> {
    const { database, clock, owner } = this.#options
    const now = clock.now()
    const counted = await store.countAttempt(
      database,
      message,
      { by: owner, now, until: new Date(now.getTime() + CLAIM_MS) },
      maxUnfinished,
    )
    crashPoint('inbox.attempt-counted')
    return (
      counted && {
        attempts: counted.attempts,
        deferrals: counted.deferrals,
        firstSeenMs: counted.first_at.getTime(),
        kept: true,
        counted: true,
      }
    )
  }

  #processFirst(message: DeliveredMessage): Promise<void> {
    return this.#room.run(() => this.#process(message, this.#firstTry()))
  }

  #firstTry(): Tries {
    return { attempts: 1, deferrals: 0, firstSeenMs: this.#options.clock.nowMs(), kept: false, counted: false }
  }

  /** Handles one message and everything of its key that was waiting for it. Rejects only when nothing could be recorded. */
  async #process(first: DeliveredMessage, firstTries: Tries): Promise<void> {
    const { service, database } = this.#options
    let message: DeliveredMessage | undefined = first
    let tries = firstTries
    while (message !== undefined) {
      const isDone: boolean = await this.#handle(message, tries)
      // Of the first one whoever has begun it.
      if (message !== first) message.span.end()
      if (!isDone) return
      const { envelope }: StoredMessage = message
      message = undefined
      if (envelope.sequence === undefined || !this.#keysWithEarly.has(keyOf(envelope))) return
      const next = await store.findNext(database, service, envelope.source, envelope.key, envelope.sequence)
      const read = next && readCloudEvent(readStoredText(next.envelope).body)
      if (next === undefined || read?.ok !== true) {
        this.#keysWithEarly.delete(keyOf(envelope))
        return
      }
      message = this.#deliveries.begin({ consumer: service, ...readStoredText(next.envelope), envelope: read.envelope })
      tries = { attempts: next.attempts + 1, deferrals: next.deferrals, firstSeenMs: next.first_at.getTime(), kept: true, counted: false }
    }
  }

  /** Its effect is all in the transaction, and the next of its key can be told by its number. */
  #mayShare({ envelope: { type, sequence } }: StoredMessage): boolean {
    const handler = this.#handlers.get(type)
    const isTransactional =
      handler === undefined ? this.#declared.has(type) : handler.kind === 'transactional' && handler.before?.() === undefined
    return isTransactional && sequence !== undefined && this.#shared.isOpen
  }

  async #effect(message: DeliveredMessage, open: OpenTransaction): Promise<void> {
    const handler = this.#handlers.get(message.envelope.type)
    if (handler !== undefined) await this.#run(handler, message, this.#firstTry(), open)
  }

  /** True when the message is done, one way or another; false when it waits. */
  async #handle(message: DeliveredMessage, tries: Tries): Promise<boolean> {
    const handler = this.#handlers.get(message.envelope.type)
    const scope = this.#deliveries.scopeOf(message)
    try {
      if (tries.attempts > this.#retry.maxAttempts && !(await this.#isHandled(message, tries)))
        throw new Error(`none of ${this.#retry.maxAttempts} attempts came to an end: each time the process died, or its database was lost`)
      const outcome =
        handler?.kind === 'effect'
          ? await this.#handleEffect(handler, message, tries, scope)
          : await this.#handleInTransaction(handler, message, tries, scope)
      this.#lookAgain(message, tries, outcome)
      if (outcome === 'early') return false
      crashPoint('inbox.committed')
      return true
    } catch (error) {
      await runInScope(scope, () => this.#recordFailure(message, tries, describeFailure(error)))
      return false
    }
  }

  /** Only what has been committed can be found when it is looked for. */
  #lookAgain({ envelope }: StoredMessage, tries: Tries, outcome: 'done' | 'early'): void {
    const nowMs = this.#options.clock.nowMs()
    if (outcome === 'early') this.#options.onKept(recheckAtMs(tries.firstSeenMs, timeOf(envelope.previousTime), nowMs))
    else if (this.#bringsAlong(envelope, tries)) this.#options.onKept(nowMs + NEXT_OF_KEY_MS)
  }

  #bringsAlong(envelope: Envelope, tries: Tries): boolean {
    return envelope.sequence !== undefined && (tries.kept || this.#keysWithEarly.has(keyOf(envelope)))
  }

  /** Another delivery of it may have been handled, or an attempt whose COMMIT was not answered. */
  async #isHandled(message: StoredMessage, { firstSeenMs }: Tries): Promise<boolean> {
    const { database, service } = this.#options
    const { sequence, id } = message.envelope
    if (sequence === undefined) return store.isRemembered(database, service, id)
    return (await this.#look(message, firstSeenMs)) === 'duplicate'
  }

  async #handleInTransaction(
    handler: EventHandler | undefined,
    message: DeliveredMessage,
    tries: Tries,
    scope: Scope,
  ): Promise<'done' | 'early'> {
    const { transactions } = this.#options
    const before = handler?.kind === 'transactional' ? handler.before?.() : undefined
    if (before !== undefined) {
      const { type, data } = message.envelope
      await runInScope(scope, () => this.#deliveries.handle(type, tries.attempts, () => before(data)))
    }
    let undeclared: DeadLetter | undefined
    const outcome = await transactions(scope, 'repeatable read', async (open) => {
      undeclared = undefined
      const verdict = await this.#arrive(open.transaction, message, tries)
      crashPoint('inbox.cursor-advanced')
      if (verdict === 'early') return verdict
      if (verdict === 'fresh') {
        if (handler?.kind === 'transactional') await this.#run(handler, message, tries, open)
        // Nothing here could depend on what nobody here has heard of, so it does not hold back the later ones of its key.
        else if (!this.#declared.has(message.envelope.type))
          undeclared = await this.#burial.buryIn(open.transaction, message, this.#undeclared(message, tries))
      }
      await this.#finish(open.transaction, message, tries)
      crashPoint('inbox.handled')
      return 'done'
    })
    if (undeclared !== undefined) this.#burial.report(message, undeclared, new Error(undeclared.error))
    return outcome
  }

  async #handleEffect(
    handler: EventHandler & { kind: 'effect' },
    message: DeliveredMessage,
    tries: Tries,
    scope: Scope,
  ): Promise<'done' | 'early'> {
    const { service, transactions, database } = this.#options
    const { envelope } = message
    for (;;) {
      const known = envelope.sequence === undefined ? await store.isRemembered(database, service, envelope.id) : undefined
      const verdict = known === undefined ? await this.#look(message, tries.firstSeenMs) : known ? 'duplicate' : 'handle'
      if (verdict === 'overtaken') throw overtaken(message)
      if (verdict === 'handle' || verdict === 'begin') {
        await runInScope(scope, () => this.#run(handler, message, tries, undefined))
        crashPoint('inbox.handled')
      }
      const outcome = await transactions(scope, 'repeatable read', async (open) => {
        const { transaction } = open
        if (verdict === 'early') return this.#parkUnlessDue(transaction, message, tries)
        const arrived = await this.#arrive(transaction, message, tries)
        if (arrived === 'early') return 'early'
        if (arrived === 'fresh') await handler.recorded?.(envelope.data, metaOf(envelope, tries.attempts), open)
        await this.#finish(transaction, message, tries)
        return 'done'
      })
      if (outcome !== 'due') return outcome
    }
  }

  async #run(handler: EventHandler, { envelope, span }: DeliveredMessage, tries: Tries, open: OpenTransaction | undefined): Promise<void> {
    const isTooOld = this.#isTooOld(handler, envelope)
    if (isTooOld && handler.recorded === undefined) return
    sensitiveTexts(handler.event.data, 'output')?.(envelope.data, (text) => span.keepBack?.(text))
    const validation = await validate(handler.event.data, envelope.data)
    if (!validation.ok) throw new InvalidEvent(validation.issues.map((issue) => `${issue.path || 'the data'}: ${issue.message}`).join('; '))
    const meta = metaOf(envelope, tries.attempts)
    if (!isTooOld)
      await this.#deliveries.handle(envelope.type, tries.attempts, () =>
        handler.kind === 'effect' ? handler.run(validation.value, meta) : handler.run(validation.value, meta, open!),
      )
    if (handler.kind === 'effect') return
    await handler.recorded?.(validation.value, meta, open!)
  }

  /** Made before the subscription existed that asked for what is made later. What does not say when it was made is news. */
  #isTooOld({ from, event }: EventHandler, { time }: Envelope): boolean {
    if (from !== 'now') return false
    const startedMs = this.#options.startedMs(event.type)
    if (startedMs === undefined) throw new Error(`it is not known yet since when ${event.type} is subscribed to`)
    return Date.parse(time) < startedMs
  }

  /** Claims the message's place in its key, in the open transaction; keeps it there when its turn has not come. */
  async #arrive(on: Transaction, message: StoredMessage, tries: Tries): Promise<'fresh' | 'duplicate' | 'early'> {
    const { service, clock } = this.#options
    const { source, key, sequence, id } = message.envelope
    if (sequence === undefined) return (await store.remember(on, service, id, clock.now())) ? 'fresh' : 'duplicate'
    if (await cursors.advance(on, service, source, key, sequence)) return 'fresh'
    const cursor = await cursors.readCursor(on, service, source, key)
    const verdict = await this.#decide(on, message, tries.firstSeenMs, cursor)
    if (verdict === 'begin' && (await cursors.begin(on, message, cursor))) return 'fresh'
    if (verdict === 'duplicate') return 'duplicate'
    if (verdict === 'overtaken') throw overtaken(message)
    await this.#park(on, message, tries, cursor)
    return 'early'
  }

  /** For a message whose turn had not come a moment ago: another instance may have handled the one before it since. */
  async #parkUnlessDue(on: Transaction, message: StoredMessage, tries: Tries): Promise<'early' | 'due'> {
    const cursor = await cursors.readCursor(on, this.#options.service, message.envelope.source, message.envelope.key)
    if ((await this.#decide(on, message, tries.firstSeenMs, cursor)) !== 'early') return 'due'
    await this.#park(on, message, tries, cursor)
    return 'early'
  }

  async #park(on: Transaction, message: StoredMessage, tries: Tries, cursor: Cursor | undefined): Promise<void> {
    const { clock } = this.#options
    this.#rememberEarly(message)
    const now = clock.now()
    const nextMs = recheckAtMs(tries.firstSeenMs, timeOf(message.envelope.previousTime), now.getTime())
    await store.keepEarly(on, message, { ...this.#uncounted(tries), nextAt: new Date(nextMs), now }, cursor)
    crashPoint('inbox.early-parked')
  }

  /** Removes what stood for the message, and sees to it that those behind it are not forgotten if this process dies now. */
  async #finish(on: Transaction, message: StoredMessage, tries: Tries): Promise<void> {
    const { service, clock } = this.#options
    const { id, sequence } = message.envelope
    if (tries.kept) await store.drop(on, service, id)
    if (this.#bringsAlong(message.envelope, tries))
      await store.bringAlong(on, { consumer: message.consumer, ...message.envelope }, sequence!, new Date(clock.nowMs() + NEXT_OF_KEY_MS))
  }

  async #look(message: StoredMessage, firstSeenMs: number): Promise<Arrival> {
    const { database, service } = this.#options
    return this.#decide(
      database,
      message,
      firstSeenMs,
      await cursors.readCursor(database, service, message.envelope.source, message.envelope.key),
    )
  }

  async #decide(on: Pick<Database, 'query'>, message: StoredMessage, firstSeenMs: number, cursor: Cursor | undefined): Promise<Arrival> {
    const { sequence, previousTime } = message.envelope
    const facts = {
      cursor,
      sequence: sequence!,
      previousAtMs: timeOf(previousTime),
      subscribedSinceMs: this.#options.subscribedSinceMs(message.topic),
      earlierIsHere: false,
      firstSeenMs,
    }
    const verdict = arrival(facts, this.#options.clock.nowMs())
    // Only this verdict depends on it, and it is rare.
    return verdict === 'begin' && (await store.hasEarlier(on, message, cursor)) ? 'early' : verdict
  }

  /** Rejects when it cannot be recorded. */
  async #recordFailure(message: StoredMessage, tries: Tries, failure: EventFailure): Promise<void> {
    const { database, clock, random, log } = this.#options
    const now = clock.now()
    const { attempts, deferrals } =
      failure.kind === 'infrastructure' ? this.#uncounted({ ...tries, deferrals: tries.deferrals + 1 }) : tries
    const next = afterFailure(failure.kind, attempts, deferrals, now.getTime(), random, this.#retry)
    if ('retryAtMs' in next) {
      await store.keepForRetry(
        database,
        message,
        { attempts, deferrals, counted: tries.counted, nextAt: new Date(next.retryAtMs), now },
        failure.message,
      )
      log.warn('An event could not be handled and will be tried again', {
        ...about(message),
        attempt: tries.attempts,
        cause: failure.error,
      })
      crashPoint('inbox.failure-recorded')
      this.#options.onKept(next.retryAtMs)
      return
    }
    await this.#burial.bury(message, { attempts: tries.attempts, failure, cause: failure.cause ?? next.deadLetter })
  }

  #undeclared({ envelope: { type } }: StoredMessage, { attempts }: Tries): Death {
    const error = new UndeclaredEvent(`no contract that ${this.#options.service} uses declares ${type}`)
    return { attempts, failure: describeFailure(error), cause: 'undeclared' }
  }

  #uncounted({ attempts, deferrals, counted }: Tries): Pick<KeptUntil, 'attempts' | 'deferrals' | 'counted'> {
    return { attempts: attempts - 1, deferrals, counted }
  }

  #rememberEarly({ envelope }: StoredMessage): void {
    if (this.#keysWithEarly.size >= MAX_REMEMBERED_KEYS) this.#keysWithEarly.clear()
    this.#keysWithEarly.add(keyOf(envelope))
  }
}

function timeOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text)
}
