/** One performance of a workload's troubles: how often each has struck is known to nobody in the world, and nothing that dies forgets it. */
import type { StepFailure } from '../protocol/scenario.ts'
import type { Direction, Workload } from './workload.ts'
import { troubleName } from './workload.ts'

export class Troubles {
  readonly #workload: Workload
  readonly #struck = new Map<string, number>()

  constructor(workload: Workload) {
    this.#workload = workload
  }

  /** What comes of this attempt at a step: `refused` for good, or an error that counts. Undefined: it succeeds. */
  ofStep(saga: number, step: string, direction: Direction): StepFailure | undefined {
    const name = troubleName(saga, step, direction)
    const trouble = this.#workload.trouble.get(name)
    if (trouble?.kind === 'refused') return 'refused'
    return trouble !== undefined && this.#strikes(name, trouble.times) ? 'error' : undefined
  }

  /** What comes of this attempt to handle an event. Undefined: it succeeds. */
  ofEvent(consumer: string, label: string): 'transient' | 'permanent' | undefined {
    const poison = this.#workload.poison.get(label)
    return poison?.consumer === consumer && this.#strikes(`${consumer} ${label}`, poison.times) ? poison.kind : undefined
  }

  #strikes(name: string, times: number): boolean {
    const struck = this.#struck.get(name) ?? 0
    if (struck >= times) return false
    this.#struck.set(name, struck + 1)
    return true
  }
}
