/**
 * What both candidates do: sagas of three steps, as many as go through while a bounded number is in progress, then 50 a second for the time
 * that one takes. A saga counts when its end is recorded. Steps are measured that do next to nothing, and steps that write a row each.
 */
import type { Latency } from '../harness/latency.ts'
import { latencyAt } from '../harness/latency.ts'
import { throughput } from '../harness/throughput.ts'

export type Kind = 'idle' | 'writing'

export interface Runner {
  /** Starts a saga with this number, unique among all; resolves when its end is recorded. */
  run(kind: Kind, number: number): Promise<void>
  /** Throws unless each of the three steps took effect once for every one of the first `started` numbers, and every saga has ended well. */
  check(started: number): Promise<void>
}

export interface SagaFigures {
  readonly idlePerSecond: number
  readonly writingPerSecond: number
  readonly latency: Latency
}

export const STEPS = ['one', 'two', 'three'] as const

const IN_PROGRESS = 64
const WARM_UP_SECONDS = 1
const LATENCY_SECONDS = 4
const LATENCY_PER_SECOND = 50

/** Prints the figures as the one line that the parent waits for. */
export async function measure(runner: Runner): Promise<void> {
  const seconds = Number(process.env['SECONDS'])
  let started = 0
  const perSecond = (kind: Kind, forSeconds: number): Promise<number> =>
    throughput(IN_PROGRESS, forSeconds, () => runner.run(kind, started++))
  await perSecond('idle', Math.min(WARM_UP_SECONDS, seconds))
  const idlePerSecond = await perSecond('idle', seconds)
  await perSecond('writing', Math.min(WARM_UP_SECONDS, seconds))
  const writingPerSecond = await perSecond('writing', seconds)
  const latency = await latencyAt(LATENCY_PER_SECOND, LATENCY_SECONDS, () => runner.run('writing', started++))
  await runner.check(started)
  const figures: SagaFigures = { idlePerSecond, writingPerSecond, latency }
  process.stdout.write(`${JSON.stringify(figures)}\n`)
}

/** The effects of steps that leave no row, counted by this process. */
export class Effects {
  readonly #counts = new Map<string, number>()

  add(number: number, step: string): void {
    const key = `${number} ${step}`
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
  }

  /** How many there were, each once; NaN when some happened more often. */
  get total(): number {
    return [...this.#counts.values()].every((count) => count === 1) ? this.#counts.size : Number.NaN
  }
}
