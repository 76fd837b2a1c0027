/**
 * The time and the order of a simulated world. One thing happens at a time: the next entry of the agenda is taken, the clock jumps to it, it
 * runs, and everything that follows from it without waiting runs too. Whoever waits, for time or for anything outside its process, is
 * an entry again, so that the seed decides what comes first.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { turn } from '../base/clock.ts'
import { currentScope } from '../telemetry/scope.ts'
import { Agenda } from './agenda.ts'
import type { Choice, Choices } from './choices.ts'
import type { FaultKind, Faults } from './faults.ts'
import type { Life } from './life.ts'
import { currentLife, inLife } from './life.ts'
import { Trace } from './trace.ts'

/** When each world begins. */
export const WORLD_START_MS = Date.UTC(2026, 0, 1)
/** Who says what nobody in the world does. */
const WORLD = 'world'

export interface WorldOptions {
  readonly choices: Choices
  readonly faults: Faults
}

export class World {
  readonly choices: Choices
  readonly faults: Faults
  readonly trace = new Trace(WORLD_START_MS)
  readonly #agenda = new Agenda()
  readonly #causes = new Map<string, string>()
  /** Told where a process may die; ends its life if it does. */
  onMoment: (life: Life, where: string, traceId: string | undefined) => void = () => undefined
  /** Told when a step and all that follows from it is over. */
  onStep: () => Promise<void> | undefined = () => undefined
  #nowMs = WORLD_START_MS
  #steps = 0
  #order = 0
  readonly #outsideTimers = new Set<{ readonly atMs: number }>()
  #outside = 0
  #broken: Error | undefined

  constructor({ choices, faults }: WorldOptions) {
    this.choices = choices
    this.faults = faults
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** Since the world began. */
  get elapsedMs(): number {
    return this.#nowMs - WORLD_START_MS
  }

  /** How many entries have been run: moments at which the seed had a say. */
  get steps(): number {
    return this.#steps
  }

  /** What follows from a request with this trace is called that in the names of choices, so that they stay the same without other requests. */
  name(traceId: string, cause: string): void {
    this.#causes.set(traceId, cause)
  }

  /** Whether a fault happens there. `traceId`: what it would hit belongs to; default: what is running. */
  fault(kind: FaultKind, where: string, traceId = currentScope()?.trace.traceId): Choice | undefined {
    const cause = traceId === undefined ? undefined : this.#causes.get(traceId)
    return this.faults.happens(kind, cause === undefined ? where : `${cause}, ${where}`)
  }

  /** Runs an action of a process later, unless the process has ended by then. */
  after(delayMs: number, life: Life | undefined, action: () => void): Timer {
    const order = this.#order++
    // An order of its own for each seed, that does not depend on how many choices there have been.
    const rank = this.choices.calm ? 0 : Math.imul(order ^ this.choices.seed, 0x9e3779b1) >>> 8
    return this.#agenda.add(this.#nowMs + Math.max(0, delayMs), rank, () => {
      if (life?.isOver === true) return
      inLife(life, action)
    })
  }

  /** Waits as the process that is running. Never resolves when that has ended meanwhile. */
  pause(name: string, minMs: number, maxMs: number): Promise<void> {
    const life = currentLife()
    const traceId = currentScope()?.trace.traceId
    return new Promise((resolve) => {
      this.after(this.choices.delayMs(name, minMs, maxMs), life, () => {
        if (life !== undefined) this.onMoment(life, name, traceId)
        if (life?.isOver !== true) resolve()
      })
    })
  }

  /** Does what really happens outside this thread's control, such as in a database; time stands still until it has ended. */
  async outside<T>(work: () => Promise<T>): Promise<T> {
    this.#outside++
    try {
      return await inLife(undefined, work)
    } finally {
      this.#outside--
    }
  }

  /** When the first timer that the world outside has set is due: a webhook that is late, a client that tries again. */
  get outsideDueMs(): number | undefined {
    return this.#outsideTimers.size === 0 ? undefined : Math.min(...[...this.#outsideTimers].map(({ atMs }) => atMs))
  }

  /** The clock of the world outside, whose timers keep it from coming to rest. */
  outsideClock(): Clock {
    return {
      now: () => new Date(this.#nowMs),
      nowMs: () => this.#nowMs,
      preciseMs: () => this.#nowMs,
      setTimer: (delayMs, action) => {
        const due = { atMs: this.#nowMs + Math.max(0, delayMs) }
        this.#outsideTimers.add(due)
        const timer = this.after(delayMs, undefined, () => {
          this.#outsideTimers.delete(due)
          action()
        })
        return {
          cancel: () => {
            this.#outsideTimers.delete(due)
            timer.cancel()
          },
        }
      },
    }
  }

  /** The clock of a process, apart from the true time by `skewMs`. */
  clockOf(life: Life | undefined, skewMs: number): Clock {
    return {
      now: () => new Date(this.#nowMs + skewMs),
      nowMs: () => this.#nowMs + skewMs,
      preciseMs: () => this.#nowMs + skewMs,
      setTimer: (delayMs, action) => {
        if (Number.isNaN(delayMs)) throw new TypeError('A timer needs a delay in milliseconds, not NaN')
        return delayMs === Infinity ? { cancel: () => undefined } : this.after(delayMs, life, action)
      },
    }
  }

  /** Says what has happened, for the trace. */
  say(text: string, node: string = currentLife()?.node ?? WORLD): void {
    this.trace.add(this.#nowMs, node, text)
  }

  /** The world cannot go on: whoever runs it is told at the next step. */
  breakOff(reason: Error): void {
    this.#broken ??= reason
  }

  /** The next entry of the agenda, and all that follows from it. False when there is none, or none until then. */
  async step(untilMs = Infinity): Promise<boolean> {
    if (this.#broken !== undefined) throw this.#broken
    const nextMs = this.#agenda.nextMs
    if (nextMs === undefined || nextMs > untilMs) {
      // Whoever asks again and again must let the process live meanwhile.
      await turn()
      return false
    }
    const { atMs, action } = this.#agenda.take()!
    this.#nowMs = Math.max(this.#nowMs, atMs)
    this.#steps++
    action()
    do await turn()
    while (this.#outside > 0)
    await this.onStep()
    return true
  }

  /**
   * Runs until something has come about. Rejects when nothing is left that could bring it about, when it takes longer than that, or with what
   * it rejects with. `what` says what has not come about.
   */
  async until<T>(work: Promise<T>, what: () => string, withinMs = Infinity): Promise<T> {
    const giveUpAtMs = this.#nowMs + withinMs
    let isOver = false
    const ended = work.finally(() => (isOver = true))
    ended.catch(() => undefined)
    await turn()
    while (!isOver) {
      if (!(await this.step())) throw new Error(`The simulation cannot go on: nothing is left to do, and ${what()}`)
      if (this.#nowMs > giveUpAtMs)
        throw new Error(`The simulation has gone on for ${Math.round(withinMs / 60_000)} minutes, and ${what()}`)
    }
    return ended
  }

  /** Moves on to a time, and runs what is due until then. */
  async advance(untilMs: number): Promise<void> {
    while (await this.step(untilMs));
    this.#nowMs = Math.max(this.#nowMs, untilMs)
  }
}
