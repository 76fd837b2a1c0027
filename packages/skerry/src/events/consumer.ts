/**
 * A consumer at work: gives its inbox what the broker delivers to one service and what the service's database keeps for
 * later. It answers the broker only after the outcome is committed.
 */
import { Alarm } from '../base/alarm.ts'
import type { Timer } from '../base/clock.ts'
import { sleep } from '../base/clock.ts'
import { crashPoint } from '../base/crash-points.ts'
import type { Broker, Delivery, Disposition, Subscription } from '../engine/broker.ts'
import { readCloudEvent, sourceOf } from './cloud-event.ts'
import * as store from './inbox-store.ts'
import type { InboxWorkerOptions } from './inbox-worker.ts'
import { CLAIM_MS, InboxWorker } from './inbox-worker.ts'
import * as subscriptions from './subscription-start.ts'
import { sweep } from './sweep.ts'

export interface ConsumerOptions extends Omit<InboxWorkerOptions, 'owner' | 'subscribedSinceMs' | 'startedMs' | 'onKept'> {
  readonly broker: Broker
  /** No other process can have the database open. */
  readonly exclusive: boolean
}

export interface RunningConsumer {
  /** True when nothing is being handled. */
  readonly idle: boolean
  /** Looks for kept messages that have fallen due. */
  wake(): void
  /** Takes nothing more and resolves when what is in progress has been answered. */
  close(): Promise<void>
}

/** Deliveries in progress at once: twice as many as share a transaction at most, so that a batch is full when the one before it is done. */
const PREFETCH = 256
/** Kept messages in progress at once. */
const MAX_RESUMED = 50
/** How often it looks for what other hosts have left, and for what it could not see to. */
const POLL_MS = 5_000
const SWEEP_EVERY_MS = 3_600_000
/** Between two batches when there is more, so that sweeping takes little of the database's time. */
const SWEEP_PAUSE_MS = 1_000

/** Starts consuming. Does not wait for the broker: what is kept here is handled meanwhile, and messages come when it does. */
export function startConsumer(options: ConsumerOptions): RunningConsumer {
  const consumer = new EventConsumer(options)
  consumer.start()
  return consumer
}

class EventConsumer implements RunningConsumer {
  readonly #options: ConsumerOptions
  readonly #owner: string
  readonly #inbox: InboxWorker
  readonly #alarm: Alarm
  readonly #topics: ReadonlySet<string>
  readonly #subscribedSinceMs = new Map<string, number>()
  readonly #startedMs = new Map<string, number>()
  readonly #resumed = new Set<Promise<void>>()
  readonly #closing = new AbortController()
  #subscription: Promise<Subscription | undefined> | undefined
  /** What must be known before anything is handled. */
  #known: Promise<void> | undefined
  #isSubscribed = false
  #pumping: Promise<void> | undefined
  #wakeAgain = false
  #renewal: Timer | undefined
  #freed = false
  #sweepAtMs = 0

  constructor(options: ConsumerOptions) {
    this.#options = options
    this.#owner = options.newId()
    this.#alarm = new Alarm(options.clock, () => this.wake())
    this.#topics = new Set(options.contracts.map(({ name }) => name))
    this.#inbox = new InboxWorker({
      ...options,
      owner: this.#owner,
      subscribedSinceMs: (topic) => this.#subscribedSinceMs.get(topic),
      startedMs: (type) => this.#startedMs.get(type),
      onKept: (untilMs) => this.#alarm.by(untilMs),
    })
  }

  get idle(): boolean {
    return this.#inbox.idle && this.#pumping === undefined && this.#resumed.size === 0
  }

  start(): void {
    this.#subscription = this.#subscribe().catch((error: unknown) => {
      if (!this.#closing.signal.aborted)
        this.#options.log.error('The subscription could not be made; restart this host once the cause is gone', { cause: error })
      return undefined
    })
    this.wake()
  }

  wake(): void {
    if (this.#closing.signal.aborted) return
    this.#wakeAgain = true
    this.#pumping ??= this.#pump().finally(() => {
      this.#pumping = undefined
      if (this.#wakeAgain) this.wake()
    })
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#alarm.stop()
    // While the broker is down the subscription is still being made; closing the broker ends that.
    if (this.#isSubscribed) await (await this.#subscription)?.close()
    await this.#pumping
    await Promise.all(this.#resumed)
    this.#renewal?.cancel()
  }

  async #subscribe(): Promise<Subscription> {
    const { broker, service, handlers } = this.#options
    const fromNow = handlers.filter(({ from }) => from === 'now').map(({ event }) => event.type)
    if (fromNow.length > 0) await (this.#known = this.#rememberStarts(fromNow))
    const subscription = await broker.subscribe({
      name: service,
      topics: [...this.#topics],
      prefetch: PREFETCH,
      handle: (delivery) => this.#receive(delivery),
    })
    this.#isSubscribed = true
    if (this.#closing.signal.aborted) await subscription.close()
    else void this.#rememberSince()
    return subscription
  }

  /** Before the first message, so that nobody has to ask at each. */
  async #rememberStarts(types: readonly string[]): Promise<void> {
    const { database, service, clock } = this.#options
    for (const type of types)
      await this.#untilRecorded(type, async () =>
        this.#startedMs.set(type, (await subscriptions.startedAt(database, service, type, clock.now())).getTime()),
      )
  }

  /** Must come after the queue is in place: whatever is published later than this moment reaches it. */
  async #rememberSince(): Promise<void> {
    const { database, service, clock, log } = this.#options
    for (const topic of this.#topics)
      await this.#untilRecorded(topic, async () =>
        this.#subscribedSinceMs.set(topic, (await subscriptions.subscribedSince(database, service, topic, clock.now())).getTime()),
      )
    // Should the service subscribe to one of them again, it will have missed what came meanwhile.
    await this.#untilRecorded('others', async () => {
      for (const topic of await subscriptions.endSubscriptions(database, service, [...this.#topics]))
        log.info('This service has no handler for events of a topic any more; those that still reach it are dropped', { topic })
    })
  }

  async #untilRecorded(what: string, record: () => Promise<unknown>): Promise<void> {
    const { clock, log } = this.#options
    const { signal } = this.#closing
    while (!signal.aborted)
      try {
        await record()
        return
      } catch (error) {
        log.warn('The beginning of a subscription could not be recorded and will be tried again', { subscription: what, cause: error })
        await sleep(clock, POLL_MS, signal)
      }
  }

  async #receive({ message, redelivered }: Delivery): Promise<Disposition> {
    crashPoint('inbox.received')
    this.#renewLater()
    try {
      const read = readCloudEvent(message.body)
      // Published by a service whose events this one does not handle: its queue is still bound to what an earlier version wanted.
      if (read.ok && read.envelope.source === sourceOf(message.topic) && !this.#topics.has(message.topic))
        this.#options.log.debug('An event of a topic without a handler was dropped', { message: message.id, topic: message.topic })
      else if (read.ok)
        await this.#inbox.receive(
          { consumer: this.#options.service, topic: message.topic, envelope: read.envelope, body: message.body },
          redelivered,
        )
      else await this.#inbox.buryUndecodable(message, read.problem)
      crashPoint('inbox.acknowledged')
      return 'ack'
    } catch (error) {
      this.#options.log.warn('A message could not be recorded and stays with the broker', { message: message.id, cause: error })
      return 'requeue'
    }
  }

  /** Looks for kept messages that are due, and again when it was woken meanwhile. Never rejects. */
  async #pump(): Promise<void> {
    const { clock, log } = this.#options
    let nextMs = Infinity
    while (this.#wakeAgain && !this.#closing.signal.aborted) {
      this.#wakeAgain = false
      try {
        nextMs = await this.#resumeDue()
      } catch (error) {
        log.warn('Kept messages could not be read and will be looked for again', { cause: error })
        nextMs = clock.nowMs() + POLL_MS
      }
    }
    this.#alarm.by(nextMs)
  }

  /** Starts to handle what is due, as far as there is room; returns when to look again. */
  async #resumeDue(): Promise<number> {
    const { database, service, clock, exclusive } = this.#options
    await this.#known
    await this.#tidyUp()
    for (;;) {
      const room = MAX_RESUMED - this.#resumed.size
      // The first to be done looks for more.
      if (room === 0) return this.#sweepAtMs
      const now = clock.now()
      const due = await store.claimDue(database, service, { by: this.#owner, now, until: new Date(now.getTime() + CLAIM_MS) }, room)
      for (const row of due) this.#resume(row)
      if (due.length < room || this.#closing.signal.aborted) break
    }
    const nextMs = (await store.nextDue(database, service))?.getTime() ?? Infinity
    return Math.min(nextMs, this.#sweepAtMs, exclusive ? Infinity : clock.nowMs() + POLL_MS)
  }

  #resume(row: store.DeliveryRow): void {
    const resumed = this.#inbox
      .resume(row)
      .catch((error: unknown) => {
        const { log, clock } = this.#options
        log.warn('A kept message could not be handled now and stays kept', { message: row.message_id, cause: error })
        // It is claimed until then.
        this.#alarm.by(clock.nowMs() + CLAIM_MS)
      })
      .finally(() => {
        const makesRoom = this.#resumed.size === MAX_RESUMED
        this.#resumed.delete(resumed)
        if (makesRoom) this.wake()
      })
    this.#resumed.add(resumed)
    this.#renewLater()
  }

  /** While messages are being handled, others must not think that this instance is dead. */
  #renewLater(): void {
    const { clock, database, service, log } = this.#options
    this.#renewal ??= clock.setTimer(CLAIM_MS / 3, () => {
      this.#renewal = undefined
      const claimed = [...this.#inbox.claimed]
      if (claimed.length === 0) return
      const now = clock.now()
      store
        .renewClaims(database, service, { by: this.#owner, now, until: new Date(now.getTime() + CLAIM_MS) }, claimed)
        .catch((error: unknown) => log.debug('Claims could not be renewed', { cause: error }))
        .finally(() => this.#renewLater())
    })
  }

  async #tidyUp(): Promise<void> {
    const { database, service, clock, exclusive } = this.#options
    if (exclusive && !this.#freed) {
      await store.freeClaims(database, service, clock.now())
      this.#freed = true
    }
    const nowMs = clock.nowMs()
    if (nowMs < this.#sweepAtMs) return
    const isMore = await sweep(database, service, clock.now())
    this.#sweepAtMs = nowMs + (isMore ? SWEEP_PAUSE_MS : SWEEP_EVERY_MS)
  }
}
