/**
 * A service as this host depends on it: where it is, and how much may be asked of it at once and again. One for each service that is called,
 * whoever calls it: what is a limit for one caller would be none for the dependency.
 */
import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import { ConcurrencyLimit } from '../resilience/concurrency-limit.ts'
import { RetryBudget } from '../resilience/retry-budget.ts'
import type { InstanceLink } from './instances.ts'
import { Instances } from './instances.ts'
import type { Link } from './link.ts'

export interface DependencyOptions {
  readonly clock: Clock
  readonly random: Random
  /** Where this host is; instances there are preferred. */
  readonly zone?: string | undefined
  /** Calls in progress at once; what comes on top is refused. Default: 1 000. */
  readonly maxConcurrent?: number | undefined
}

const DEFAULT_MAX_CONCURRENT = 1_000

export class Dependency {
  readonly instances: Instances
  readonly budget = new RetryBudget()
  /** Calls in progress at once. */
  readonly limit: ConcurrencyLimit

  constructor({ clock, random, zone, maxConcurrent = DEFAULT_MAX_CONCURRENT }: DependencyOptions, instances: readonly InstanceLink[] = []) {
    this.instances = new Instances({ clock, random, zone })
    this.instances.replace(instances)
    this.limit = new ConcurrencyLimit(maxConcurrent)
  }
}

/** A dependency with one instance, at the end of this link. */
export function dependencyOn(link: Link, options: DependencyOptions): Dependency {
  return new Dependency(options, [{ id: 'the only one', link }])
}
