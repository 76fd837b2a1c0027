/**
 * The instances of a service as one host sees them: how fast each answers, what it is at, and whether it is to be left alone. Shared by all
 * who call the service from this host, so that what one of them learns the others know.
 */
import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import type { BoundOperation } from '../contract/bound-operation.ts'
import { choose } from '../resilience/choose.ts'
import { Outlier, withoutOutliers } from '../resilience/outlier.ts'
import { PeakLatency } from '../resilience/peak-latency.ts'
import type { Admitted, Breaker, BreakerRules } from './breaker.ts'
import { createBreaker } from './breaker.ts'
import type { Link } from './link.ts'

/** Where an instance is, and the way there. */
export interface InstanceLink {
  readonly id: string
  /** Instances of the caller's own zone come first; undefined when zones are not told apart. */
  readonly zone?: string | undefined
  readonly link: Link
}

/** What a failed answer weighs, so that an instance that fails fast does not attract calls. */
const FAILURE_PENALTY_MS = 5_000
const MAX_PENALTY_MS = 300_000
/** How long an instance that came later is given less, while its caches and its compiler warm up. */
const SLOW_START_MS = 30_000
const SLOW_START_FLOOR = 0.1
/** How long an instance that has said that it is about to stop is spared. It may come back at the same address. */
const LEAVING_MS = 5_000

export type Choice =
  | { readonly chosen: true; readonly instance: KnownInstance; readonly admitted: Admitted }
  /** Nobody may be asked now. */
  | { readonly chosen: false; readonly reason: string; readonly retryAfterMs: number | undefined }

/** One instance and what is known of it. */
export class KnownInstance {
  readonly id: string
  readonly link: Link
  readonly zone: string | undefined
  outstanding = 0
  readonly outlier = new Outlier()
  readonly #latency: PeakLatency
  readonly #breakers = new Map<BoundOperation | BreakerRules, Breaker>()
  readonly #clock: Clock
  #leavingUntilMs = 0
  /** Undefined for those that were there from the beginning. */
  readonly #joinedMs: number | undefined

  constructor({ id, link, zone }: InstanceLink, clock: Clock, isLater: boolean) {
    this.id = id
    this.link = link
    this.zone = zone
    this.#clock = clock
    this.#latency = new PeakLatency(clock.nowMs())
    this.#joinedMs = isLater ? clock.nowMs() : undefined
  }

  /** The same for all who call the operation; for who has rules of his own, one of his own. */
  breakerOf(operation: BoundOperation, rules: BreakerRules | undefined): Breaker {
    const key = rules ?? operation
    let breaker = this.#breakers.get(key)
    if (breaker === undefined) this.#breakers.set(key, (breaker = createBreaker(this.#clock, rules?.settings, rules?.rate)))
    return breaker
  }

  get latencyMs(): number {
    return this.#latency.averageMs(this.#clock.nowMs())
  }

  get weight(): number {
    if (this.#joinedMs === undefined) return 1
    return Math.min(1, Math.max(SLOW_START_FLOOR, (this.#clock.nowMs() - this.#joinedMs) / SLOW_START_MS))
  }

  /** It has said that it is about to stop. */
  leaves(): void {
    this.#leavingUntilMs = this.#clock.nowMs() + LEAVING_MS
  }

  isLeaving(nowMs: number): boolean {
    return nowMs < this.#leavingUntilMs
  }

  /** An answer, good or declared, or a failure of the instance. */
  record(tookMs: number, failed: boolean, nowMs: number, penaltyMs = 0): void {
    this.outlier.record(failed, nowMs)
    if (failed) this.avoidFor(Math.max(FAILURE_PENALTY_MS, penaltyMs))
    else this.#latency.record(tookMs, nowMs)
  }

  /** As if an answer had taken so long. */
  avoidFor(penaltyMs: number): void {
    this.#latency.record(Math.min(MAX_PENALTY_MS, penaltyMs), this.#clock.nowMs())
  }
}

export class Instances {
  readonly #clock: Clock
  readonly #random: Random
  readonly #zone: string | undefined
  #known: readonly KnownInstance[] = []
  #hasBegun = false

  constructor({ clock, random, zone }: { readonly clock: Clock; readonly random: Random; readonly zone?: string | undefined }) {
    this.#clock = clock
    this.#random = random
    this.#zone = zone
  }

  get all(): readonly KnownInstance[] {
    return this.#known
  }

  /** From now on these are all there are. What is known of those that stay is kept; the links of the others are the caller's to close. */
  replace(instances: readonly InstanceLink[]): void {
    const before = new Map(this.#known.map((known) => [known.id, known]))
    this.#known = instances.map((instance) => {
      const known = before.get(instance.id)
      return known?.link === instance.link ? known : new KnownInstance(instance, this.#clock, this.#hasBegun)
    })
    this.#hasBegun ||= instances.length > 0
  }

  /** Chooses an instance for a call and asks its circuit breaker. `avoid`: those that have failed this call already. */
  choose(operation: BoundOperation, avoid: ReadonlySet<string>, rules?: BreakerRules): Choice {
    const all = this.#known
    if (all.length === 0) return { chosen: false, reason: 'no instance of it is known', retryAfterMs: undefined }
    const instance = all.length === 1 ? all[0]! : this.#pick(all, operation, avoid, rules)
    const admission = instance.breakerOf(operation, rules).admit()
    if (admission.admitted) return { chosen: true, instance, admitted: admission }
    return { chosen: false, reason: 'its circuit breaker is open after repeated failures', retryAfterMs: admission.retryAfterMs }
  }

  #pick(
    all: readonly KnownInstance[],
    operation: BoundOperation,
    avoid: ReadonlySet<string>,
    rules: BreakerRules | undefined,
  ): KnownInstance {
    const nowMs = this.#clock.nowMs()
    const closed = orAll(all, (known) => !known.breakerOf(operation, rules).isOpen)
    const untried = avoid.size === 0 ? closed : orAll(closed, ({ id }) => !avoid.has(id))
    const sound = withoutOutliers(untried, ({ outlier }) => outlier.isEjected(nowMs))
    const staying = orAll(sound, (known) => !known.isLeaving(nowMs))
    const near = this.#zone === undefined ? staying : orAll(staying, ({ zone }) => zone === this.#zone)
    return near[choose(near, this.#random)]!
  }
}

/** Those that are so, or all when none is. */
function orAll<T>(all: readonly T[], isSo: (one: T) => boolean): readonly T[] {
  const some = all.filter(isSo)
  return some.length === 0 ? all : some
}
