/**
 * The relay at work: takes committed events from one service's outbox to the broker and deletes what the broker has
 * confirmed. Deleting needs no fence: a confirmed row may be deleted by whoever knows that it is confirmed. Commits in this process hand
 * over what they wrote; everything else (left by an earlier life, by other hosts, by a failed attempt) is found in the table.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { crashPoint } from '../base/crash-points.ts'
import type { EventDeclaration } from '../contract/event.ts'
import type { Broker } from '../engine/broker.ts'
import type { Database } from '../engine/database.ts'
import { publishingOf } from '../telemetry/conventions.ts'
import type { Log } from '../telemetry/log.ts'
import { namedWork } from '../telemetry/named-work.ts'
import type { Span } from '../telemetry/span.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { parseTraceparent } from '../telemetry/trace-context.ts'
import { LEASE_DEFAULTS, releaseLeases, shareLeases } from './lease.ts'
import { messageOf } from './outbox-message.ts'
import type { OutboxEntry } from './outbox.ts'
import { PARTS } from './outbox.ts'
import { confirmation, Relay, RELAY_DEFAULTS } from './relay.ts'

export interface RelayWorkerOptions {
  readonly service: string
  readonly database: Database
  readonly broker: Broker
  readonly clock: Clock
  readonly log: Log
  /** Default: nothing is recorded. */
  readonly telemetry?: Telemetry | undefined
  /** Identifies this host in leases. */
  readonly owner: string
  /** No other process can relay this outbox: no leases, no polling. */
  readonly exclusive: boolean
  /** Whether the system declares a consumer of this service's events. If none, an event that no queue takes is done. */
  readonly hasConsumers: boolean
  /** The events of the contract by their type, for the bindings they promise. */
  readonly events: ReadonlyMap<string, EventDeclaration>
}

export interface RelayWorker {
  /** Takes what a commit in this process has just written, without reading it back. */
  offer(entries: readonly OutboxEntry[]): void
  /** The outbox may hold what nobody has offered. */
  lookAgain(): void
  /** The broker can be reached again: nothing needs to wait out its backoff. */
  retryNow(): void
  /** True when nothing is claimed or on its way, so far as this relay has looked. */
  readonly idle: boolean
  /** Claims no more rows. */
  stop(): void
  /** Resolves when nothing is on its way any more and the leases are given back. Call `stop` first. */
  drained(): Promise<void>
}

const BATCH_ROWS = 200
const POLL_MS = 500

const CLAIM = `
select id, part, topic, key, seq, message_id, type, payload::text as payload, traceparent, created_at, previous_at
from skerry_outbox where key <> all($1::text[]) and part = any($3::int[]) order by id limit $2`
const CLAIM_ALL = `
select id, part, topic, key, seq, message_id, type, payload::text as payload, traceparent, created_at, previous_at
from skerry_outbox where key <> all($1::text[]) and id > $3 order by id limit $2`

export function startRelay(options: RelayWorkerOptions): RelayWorker {
  const { database, broker, clock, log } = options
  const publisher = { service: options.service, events: options.events, startedMs: clock.nowMs() }
  const relay = new Relay()
  let parts: readonly number[] = []
  let leaseUntilMs = 0
  let leaseDueMs = 0
  let claiming: Promise<void> | undefined
  let claimAgain = false
  /** Rows may be in the table that are neither on their way nor parked. */
  let leftBehind = true
  /**
   * Rows up to this id are on their way or done, and need not be read again. Only where transactions take turns, for elsewhere a row may
   * be committed after one of a higher id; and given up when anything goes wrong.
   */
  let floor = { id: 0 }
  let stopping = false
  let retryTimer: Timer | undefined
  let pollTimer: Timer | undefined
  let runningDeletion: Promise<void> | undefined
  let waitingDeletion: Promise<void> | undefined
  let toDelete: number[] = []
  const batchesOnTheirWay = new Set<Promise<void>>()
  const publishing = options.telemetry && namedWork(options.telemetry, publishingOf)
  const startPublish = ({ type, traceparent, message_id, created_at }: OutboxEntry): Span | undefined => {
    if (publishing === undefined) return undefined
    const span = publishing(type)(parseTraceparent(traceparent))
    span.set('messaging.message.id', message_id)
    span.set('skerry.outbox.wait', (clock.nowMs() - created_at.getTime()) / 1_000)
    return span
  }

  const wake = (): void => {
    if (stopping) return
    if (claiming !== undefined) {
      claimAgain = true
      return
    }
    claiming = claim()
      .catch((error: unknown) => {
        log.warn('The relay could not read the outbox and will try again', { cause: error })
        scheduleRetry(clock.nowMs() + RELAY_DEFAULTS.minBackoffMs * 10)
      })
      .finally(() => {
        claiming = undefined
        if (claimAgain) {
          claimAgain = false
          wake()
        }
      })
  }

  async function claim(): Promise<void> {
    if (!options.exclusive && !(await holdLeases())) return
    if (relay.isFull) return
    leftBehind = false
    const from = floor
    // Rows on their way are still in the table: ask for that many more where they are in front.
    const limit = BATCH_ROWS + (from.id === 0 ? relay.inFlightRows : 0)
    const askedMs = clock.nowMs()
    const waiting = relay.parkedKeys(askedMs)
    const { rows } = options.exclusive
      ? await database.query<OutboxEntry>(CLAIM_ALL, [waiting, limit, from.id])
      : await database.query<OutboxEntry>(CLAIM, [waiting, limit, parts])
    if (stopping) return
    const { sent, skipped } = send(rows)
    if (options.exclusive && floor === from && waiting.length === 0 && !skipped) floor = { id: rows.at(-1)?.id ?? from.id }
    if (rows.length === limit) {
      // What is offered before the rest has been read would overtake it.
      leftBehind = true
      if (sent) claimAgain = true
    }
    // As of when it was asked: of a key whose pause has ended since, nothing was asked for.
    relay.forgetAbsent(askedMs)
    // Once more, for a failed claim may have put its own time in the place of this one.
    scheduleNextRetry()
  }

  function offer(entries: readonly OutboxEntry[]): void {
    const owned = options.exclusive || (clock.nowMs() < leaseUntilMs && entries.every(({ part }) => parts.includes(part)))
    // What is left behind in the table, or is just being read from it, may be older rows of the same keys: then everything goes by way of
    // the table, in order.
    if (leftBehind || claiming !== undefined || !owned || stopping || relay.isFull) {
      leftBehind = true
      wake()
    } else send(entries)
  }

  /** Publishes what may go now. */
  function send(rows: readonly OutboxEntry[]): { readonly sent: boolean; readonly skipped: boolean } {
    const { batches, skipped } = relay.claim(rows, clock.nowMs())
    if (skipped) leftBehind = true
    if (batches.length > 0) crashPoint('relay.claimed')
    for (const batch of batches) {
      const onItsWay = publish(batch).finally(() => batchesOnTheirWay.delete(onItsWay))
      batchesOnTheirWay.add(onItsWay)
    }
    return { sent: batches.length > 0, skipped }
  }

  async function publish(batch: readonly OutboxEntry[]): Promise<void> {
    const spans = batch.map((row) => startPublish(row))
    const sending = broker.publish(batch.map((row) => messageOf(row, publisher)))
    crashPoint('relay.published')
    const outcome = confirmation(batch, await sending, options.hasConsumers)
    for (const [index, row] of batch.entries())
      spans[index]?.end(outcome.done.includes(row.id) ? {} : { errorType: 'unconfirmed', message: outcome.failure })
    if (outcome.done.length > 0) {
      crashPoint('relay.confirmed')
      toDelete.push(...outcome.done)
      await nextDeletion()
      crashPoint('relay.deleted')
    }
    if (outcome.failure !== undefined) {
      floor = { id: 0 }
      log.warn('An event could not be published and will be tried again', {
        topic: batch[0]!.topic,
        key: batch[0]!.key,
        reason: outcome.failure,
      })
    }
    relay.settle(batch, outcome, clock.nowMs())
    scheduleNextRetry()
    // Rows of this key, or beyond the last limit, may have been waiting for this batch.
    if (leftBehind) wake()
  }

  /** One deletion at a time; what is confirmed meanwhile goes with the next, together. */
  function nextDeletion(): Promise<void> {
    return (waitingDeletion ??= (runningDeletion ?? Promise.resolve()).then(() => {
      waitingDeletion = undefined
      return (runningDeletion = deleteConfirmed())
    }))
  }

  async function deleteConfirmed(): Promise<void> {
    const ids = toDelete
    toDelete = []
    try {
      await database.query(`delete from skerry_outbox where id = any($1::bigint[])`, [ids])
    } catch (error) {
      // They stay in the table and are published once more, which consumers ignore.
      leftBehind = true
      floor = { id: 0 }
      log.warn('Confirmed events could not be deleted from the outbox and will be published again', { cause: error })
    }
  }

  async function holdLeases(): Promise<boolean> {
    const now = clock.now()
    if (now.getTime() >= leaseDueMs) {
      parts = await shareLeases(database, { name: 'relay', owner: options.owner, parts: PARTS, now, ttlMs: LEASE_DEFAULTS.ttlMs })
      leaseUntilMs = now.getTime() + LEASE_DEFAULTS.ttlMs
      leaseDueMs = now.getTime() + LEASE_DEFAULTS.renewMs
    }
    return parts.length > 0 && now.getTime() < leaseUntilMs
  }

  function scheduleNextRetry(): void {
    if (relay.nextRetryMs !== undefined) scheduleRetry(relay.nextRetryMs)
  }

  function scheduleRetry(atMs: number): void {
    retryTimer?.cancel()
    retryTimer = clock.setTimer(Math.max(1, atMs - clock.nowMs()), wake)
  }

  function poll(): void {
    wake()
    if (!stopping) pollTimer = clock.setTimer(POLL_MS, poll)
  }

  if (options.exclusive) wake()
  else poll()

  return {
    offer,
    lookAgain() {
      leftBehind = true
      floor = { id: 0 }
      wake()
    },
    retryNow() {
      relay.unpark()
      wake()
    },
    get idle() {
      return claiming === undefined && batchesOnTheirWay.size === 0
    },
    stop() {
      stopping = true
      retryTimer?.cancel()
      pollTimer?.cancel()
    },
    async drained() {
      await claiming
      await Promise.all(batchesOnTheirWay)
      if (options.exclusive) return
      await releaseLeases(database, 'relay', options.owner).catch((error: unknown) =>
        log.warn('Leases could not be given back; they will expire', { cause: error }),
      )
    },
  }
}
