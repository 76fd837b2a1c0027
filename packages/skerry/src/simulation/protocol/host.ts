/**
 * One process of one service. What it holds in memory and every timer it has set end with its life; what it has committed does not. It may
 * die wherever the real one has a crash point, and stand still for so long that others take it for dead.
 */
import type { Clock, Timer } from '../../base/clock.ts'
import type { CrashPoint } from '../../base/crash-points.ts'
import type { Random } from '../../base/random.ts'
import { unit } from '../choices.ts'
import type { World } from './world.ts'

/** What runs in a process, made anew for each of its lives. */
export interface Program {
  start(): void
}

/** How a transaction ended for whoever made it. `unknown`: it is committed, but that was not told. */
export type Ended = 'committed' | 'refused' | 'unknown'

const PAUSE_MS = { min: 6_000, max: 25_000 }
const RESTART_MS = { min: 50, max: 7_000 }
const SKEW_MS = 20_000
const NEVER: Timer = { cancel: () => undefined }

export class Host implements Clock, Random {
  readonly name: string
  readonly world: World
  /** Told when it has died, so that what was connected to it notices. */
  onDeath: () => void = () => undefined
  /** Told when it is up. */
  onStart: () => void = () => undefined
  life = 0
  isUp = false
  #pausedUntilMs = 0
  #skewMs = 0
  #drawn = 0
  readonly #program: () => Program
  readonly #names = new Map<string, string>()

  constructor(world: World, name: string, program: (host: Host) => Program) {
    this.world = world
    this.name = name
    this.#program = () => program(this)
    const skewed = world.strikes('skew', `${name} clock is off`)
    if (skewed !== undefined) this.#skewMs = world.sizeMs(skewed, -SKEW_MS, SKEW_MS)
  }

  /** Names one life of it, as leases and claims do. */
  get owner(): string {
    return `${this.name}/${this.life}`
  }

  start(): void {
    if (this.isUp) return
    this.isUp = true
    this.world.note('starts', this.name, this.life, 0)
    this.#program().start()
    this.onStart()
  }

  nowMs(): number {
    return this.world.nowMs + this.#skewMs
  }

  preciseMs(): number {
    return this.nowMs()
  }

  now(): Date {
    return new Date(this.nowMs())
  }

  setTimer(delayMs: number, action: () => void): Timer {
    return this.#at(this.world.nowMs + Math.max(0, Math.floor(Math.min(delayMs, 1e9))), action)
  }

  /** Goes on after something that takes a while. */
  after(what: string, minMs: number, maxMs: number, action: () => void): void {
    const { world } = this
    const name = this.#named(what)
    const paused = world.strikes('pause', this.#named('stands still'))
    if (paused !== undefined) {
      this.#pausedUntilMs = world.nowMs + world.sizeMs(paused, PAUSE_MS.min, PAUSE_MS.max)
      world.reached('a process stood still')
    }
    this.#at(world.nowMs + world.delayMs(name, minMs, maxMs), action)
  }

  #at(atMs: number, action: () => void): Timer {
    const { life, world } = this
    // Of a life that has just ended, whoever called goes on to here.
    if (!this.isUp) return NEVER
    const run = (): void => {
      if (this.life !== life) return
      if (this.#pausedUntilMs > world.nowMs) world.at(this.#pausedUntilMs, run)
      else action()
    }
    return world.at(atMs, run)
  }

  /** Passes a crash point. False: it died there, and nothing of what follows happens. */
  passes(point: CrashPoint): boolean {
    if (!this.isUp) return false
    if (this.world.strikes('crash', this.#named(point)) === undefined) return true
    this.world.reached(`crash at ${point}`)
    this.die()
    return false
  }

  die(): void {
    const { world } = this
    world.note('dies', this.name, this.life, 0)
    this.life++
    this.isUp = false
    this.#pausedUntilMs = 0
    this.onDeath()
    const downMs = world.healed ? RESTART_MS.min : world.delayMs(this.#named('is down'), RESTART_MS.min, RESTART_MS.max)
    world.at(world.nowMs + downMs, () => this.start())
  }

  /** Whether the database takes what is asked of it now. */
  isRefused(what: string): boolean {
    if (this.world.strikes('refusal', this.#named(`refused: ${what}`)) === undefined) return false
    this.world.reached('the database refused')
    return true
  }

  /** Commits writes as one. */
  commit(what: string, write: () => void): Ended {
    if (this.isRefused(what)) return 'refused'
    write()
    if (this.world.strikes('unknown', this.#named(`unknown: ${what}`)) === undefined) return 'committed'
    this.world.reached('an answer to COMMIT was lost')
    return 'unknown'
  }

  /** No more is drawn of it than how long a backoff is. */
  next(): number {
    return this.world.choices.calm ? 0 : unit(this.world.seed, `${this.name} backoff ${this.#drawn++}`)
  }

  int(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1))
  }

  pick<T>(from: readonly T[]): T {
    return from[this.int(0, from.length - 1)]!
  }

  #named(what: string): string {
    let name = this.#names.get(what)
    if (name === undefined) this.#names.set(what, (name = `${this.name} ${what}`))
    return name
  }
}
