/**
 * A relay at work, as `events/relay-worker.ts`: the order of its effects, when it looks again, and when it takes what a commit offers. Each
 * confirmed batch is deleted by itself, where the worker deletes one after the other: that only adds ways in which deletions can come.
 */
import type { Timer } from '../../base/clock.ts'
import { LEASE_DEFAULTS } from '../../events/lease.ts'
import type { RelaySettings } from '../../events/relay.ts'
import type { BrokerModel } from './broker-model.ts'
import type { ProtocolEngines, RelayEngine } from './engines.ts'
import type { ModelEvent } from './event.ts'
import type { Ended, Host } from './host.ts'
import type { OutboxTable } from './outbox-table.ts'
import { partOf } from './outbox-table.ts'

/** Small, so that limits are met. */
const BATCH_ROWS = 8
const SETTINGS: RelaySettings = { maxInFlight: 12, minBackoffMs: 100, maxBackoffMs: 5_000 }
/** Twice what the platform waits, to spend fewer steps on looking at what is empty. */
const POLL_MS = 1_000
const DB_MS = { min: 1, max: 6 }

export interface RelayNodeOptions {
  readonly outbox: OutboxTable
  readonly broker: BrokerModel
  readonly engines: ProtocolEngines
  readonly exclusive: boolean
}

export class RelayNode {
  readonly #host: Host
  readonly #options: RelayNodeOptions
  readonly #relay: RelayEngine
  readonly #startedMs: number
  #parts: readonly number[] = []
  #leaseUntilMs = 0
  #leaseDueMs = 0
  #claiming = false
  #claimAgain = false
  #leftBehind = true
  #floor = { id: 0 }
  #retry: Timer | undefined

  constructor(host: Host, options: RelayNodeOptions) {
    this.#host = host
    this.#options = options
    this.#relay = options.engines.relay(SETTINGS)
    this.#startedMs = host.nowMs()
  }

  start(): void {
    if (this.#options.exclusive) this.wake()
    else this.#poll()
  }

  wake(): void {
    if (this.#claiming) {
      this.#claimAgain = true
      return
    }
    this.#claiming = true
    this.#host.after('claims', DB_MS.min, DB_MS.max, () => this.#claim())
  }

  /** The broker can be reached again. */
  retryNow(): void {
    this.#relay.unpark()
    this.wake()
  }

  offer(rows: readonly ModelEvent[]): void {
    const { exclusive } = this.#options
    const owned = exclusive || (this.#host.nowMs() < this.#leaseUntilMs && rows.every((row) => this.#parts.includes(partOf(row))))
    if (this.#leftBehind || this.#claiming || !owned || this.#relay.isFull) {
      this.#leftBehind = true
      this.wake()
    } else this.#send(rows)
  }

  /** What a transaction has written. Of one that ended in the dark nobody knows what is in the table. */
  emitted(rows: readonly ModelEvent[], ended: Ended): void {
    if (ended === 'committed') this.offer(rows)
    else if (this.#options.engines.looksAgain) this.lookAgain()
  }

  lookAgain(): void {
    this.#leftBehind = true
    this.#floor = { id: 0 }
    this.wake()
  }

  #poll(): void {
    this.wake()
    this.#host.setTimer(POLL_MS, () => this.#poll())
  }

  #claim(): void {
    const { exclusive, outbox } = this.#options
    const host = this.#host
    const relay = this.#relay
    if (host.isRefused('claim')) {
      this.#scheduleRetry(host.nowMs() + SETTINGS.minBackoffMs * 10)
      return this.#claimed()
    }
    if (!exclusive && !this.#holdsLeases()) return this.#claimed()
    if (relay.isFull) return this.#claimed()
    this.#leftBehind = false
    const from = this.#floor
    const limit = BATCH_ROWS + (from.id === 0 ? relay.inFlightRows : 0)
    const nowMs = host.nowMs()
    const waiting = relay.parkedKeys(nowMs)
    const rows = outbox.claim(waiting, limit, exclusive ? ({ id }) => id > from.id : (row) => this.#parts.includes(partOf(row)))
    if (rows.length === 0 && !relay.inFlightRows) return this.#read(rows, limit, waiting, from, nowMs)
    host.after('reads', 0, DB_MS.max, () => this.#read(rows, limit, waiting, from, nowMs))
  }

  #read(rows: readonly ModelEvent[], limit: number, waiting: readonly string[], from: { id: number }, askedMs: number): void {
    const relay = this.#relay
    const { sent, skipped, alive } = this.#send(rows)
    if (!alive) return
    if (this.#options.exclusive && this.#floor === from && waiting.length === 0 && !skipped)
      this.#floor = { id: rows.at(-1)?.id ?? from.id }
    if (rows.length === limit) {
      this.#leftBehind = true
      if (sent) this.#claimAgain = true
    }
    relay.forgetAbsent(askedMs)
    this.#scheduleNextRetry()
    this.#claimed()
  }

  #claimed(): void {
    this.#claiming = false
    if (!this.#claimAgain) return
    this.#claimAgain = false
    this.wake()
  }

  #send(rows: readonly ModelEvent[]): { readonly sent: boolean; readonly skipped: boolean; readonly alive: boolean } {
    const host = this.#host
    const { batches, skipped } = this.#relay.claim(rows, host.nowMs())
    if (skipped) this.#leftBehind = true
    if (batches.length > 0 && !host.passes('relay.claimed')) return { sent: false, skipped, alive: false }
    for (const batch of batches) {
      this.#publish(batch)
      if (!host.passes('relay.published')) return { sent: false, skipped, alive: false }
    }
    return { sent: batches.length > 0, skipped, alive: true }
  }

  #publish(batch: readonly ModelEvent[]): void {
    const { broker, engines, outbox } = this.#options
    const host = this.#host
    const first = batch[0]!
    host.world.note('publishes', host.name, first.number, batch.length)
    broker.publish(host, batch, this.#startedMs, (outcomes) => {
      const outcome = engines.confirmation(batch, outcomes, true)
      if (outcome.failure !== undefined) host.world.reached('a batch was published again from its first failure on')
      if (outcome.done.length === 0) return this.#settle(batch, outcome)
      if (!host.passes('relay.confirmed')) return
      host.after('deletes', DB_MS.min, DB_MS.max, () => {
        const ended = host.commit('delete', () => outbox.delete(outcome.done))
        if (ended !== 'committed') {
          this.#leftBehind = true
          this.#floor = { id: 0 }
        }
        host.world.note('deletes', host.name, first.number, outcome.done.length)
        if (host.passes('relay.deleted')) this.#settle(batch, outcome)
      })
    })
  }

  #settle(batch: readonly ModelEvent[], outcome: ReturnType<ProtocolEngines['confirmation']>): void {
    if (outcome.failure !== undefined) this.#floor = { id: 0 }
    this.#relay.settle(batch, outcome, this.#host.nowMs())
    this.#scheduleNextRetry()
    if (this.#leftBehind) this.wake()
  }

  #holdsLeases(): boolean {
    const nowMs = this.#host.nowMs()
    if (nowMs >= this.#leaseDueMs) {
      this.#parts = this.#options.outbox.shareLeases(this.#host.owner, nowMs, LEASE_DEFAULTS.ttlMs)
      this.#leaseUntilMs = nowMs + LEASE_DEFAULTS.ttlMs
      this.#leaseDueMs = nowMs + LEASE_DEFAULTS.renewMs
    }
    return this.#parts.length > 0 && nowMs < this.#leaseUntilMs
  }

  #scheduleNextRetry(): void {
    const { nextRetryMs } = this.#relay
    if (nextRetryMs !== undefined) this.#scheduleRetry(nextRetryMs)
  }

  #scheduleRetry(atMs: number): void {
    this.#retry?.cancel()
    this.#retry = this.#host.setTimer(Math.max(1, atMs - this.#host.nowMs()), () => this.wake())
  }
}
