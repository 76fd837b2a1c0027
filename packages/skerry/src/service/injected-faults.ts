/**
 * Faults that are put into a running host, to see what becomes of it: an operation or a handler of events that is slow, fails, never answers,
 * or takes its process with it. Each ends by itself, and what a share of them meets is drawn from a seed.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { sleep } from '../base/clock.ts'
import type { NewId } from '../base/id.ts'
import type { Random } from '../base/random.ts'
import { seededRandom } from '../base/random.ts'
import type { ProblemDetails } from '../contract/problem.ts'
import { platformProblem } from '../contract/problem.ts'
import type { Log } from '../telemetry/log.ts'

export const FAULT_EFFECTS = ['latency', 'error', 'blackHole', 'kill'] as const
/** The problems that an injected error answers with. */
export const FAULT_PROBLEMS = ['unavailable', 'internal', 'overloaded'] as const

export interface FaultRule {
  readonly service: string
  /** Its operation, or the type of an event that it handles. Undefined: all of them. */
  readonly of?: string | undefined
  /** Meets only what has this value, as text, in this field of its input or of the event's data. */
  readonly field?: string | undefined
  readonly value?: string | undefined
  /** How many of a hundred meet it. */
  readonly percent: number
  readonly effect: (typeof FAULT_EFFECTS)[number]
  /** Of `latency`. */
  readonly latencyMs: number
  /** Of `error`. */
  readonly problem: (typeof FAULT_PROBLEMS)[number]
  /** Decides who meets it: the same calls in the same order meet the same. */
  readonly seed: number
  /** It ends by itself after so long. */
  readonly forMs: number
}

export interface InjectedFault extends FaultRule {
  readonly id: string
  readonly endsAt: Date
  /** How many have met it. */
  readonly met: number
}

export interface InjectedFaultsOptions {
  readonly clock: Clock
  readonly newId: NewId
  readonly log: Log
  /** Ends this process at once. */
  readonly kill: () => void
}

/** Faults of one host at a time. */
export const MAX_FAULTS = 100

interface Active {
  readonly fault: Omit<InjectedFault, 'met'>
  readonly random: Random
  /** Aborts when the fault has ended. */
  readonly ended: AbortController
  readonly timer: Timer
  met: number
}

export class InjectedFaults {
  readonly #options: InjectedFaultsOptions
  readonly #active = new Map<string, Active>()

  constructor(options: InjectedFaultsOptions) {
    this.#options = options
  }

  get all(): readonly InjectedFault[] {
    return [...this.#active.values()].map(({ fault, met }) => ({ ...fault, met }))
  }

  /** Undefined when there are too many already. */
  add(rule: FaultRule): InjectedFault | undefined {
    if (this.#active.size >= MAX_FAULTS) return undefined
    const { clock, newId, log } = this.#options
    const fault = { ...rule, id: newId(), endsAt: new Date(clock.nowMs() + rule.forMs) }
    const timer = clock.setTimer(rule.forMs, () => this.remove(fault.id))
    this.#active.set(fault.id, { fault, random: seededRandom(rule.seed), ended: new AbortController(), timer, met: 0 })
    log.warn('A fault was injected', { fault })
    return { ...fault, met: 0 }
  }

  /** What hangs because of it goes on. Undefined when there is none of this id. */
  remove(id: string): InjectedFault | undefined {
    const active = this.#active.get(id)
    if (active === undefined) return undefined
    this.#active.delete(id)
    active.timer.cancel()
    active.ended.abort()
    this.#options.log.warn('An injected fault has ended', { fault: id, met: active.met })
    return { ...active.fault, met: active.met }
  }

  /** What a request or an event meets; resolves with the problem that it is to fail with, if it is to fail. */
  async meet(service: string, of: string, data: unknown): Promise<ProblemDetails | undefined> {
    for (const active of this.#active.values()) {
      const { fault, random, ended } = active
      if (!concerns(fault, service, of, data) || random.next() * 100 >= fault.percent) continue
      active.met++
      if (fault.effect === 'kill') this.#options.kill()
      // It never answers, as long as the fault is there; killed, it does not either.
      if (fault.effect === 'kill' || fault.effect === 'blackHole') await sleep(this.#options.clock, Infinity, ended.signal)
      if (fault.effect === 'latency') await sleep(this.#options.clock, fault.latencyMs, ended.signal)
      if (fault.effect === 'error') return platformProblem(fault.problem, `An injected fault (${fault.id})`)
    }
    return undefined
  }

  /** Whether one of them names it, whatever share or value it asks for. */
  mayMeet(service: string, of: string): boolean {
    for (const { fault } of this.#active.values()) if (names(fault, service, of)) return true
    return false
  }

  /** True when there are none, which is nearly always. */
  get none(): boolean {
    return this.#active.size === 0
  }
}

function names(fault: FaultRule, service: string, of: string): boolean {
  return fault.service === service && (fault.of === undefined || fault.of === of)
}

function concerns(fault: FaultRule, service: string, of: string, data: unknown): boolean {
  if (!names(fault, service, of)) return false
  if (fault.field === undefined) return true
  const value = typeof data === 'object' && data !== null ? (data as Record<string, unknown>)[fault.field] : undefined
  return (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') && String(value) === fault.value
}
