/** Runs seeds of one simulation in this process, and makes of each what is worth telling. */
import type { FaultLevel, Failure, Regression, Run, RunOptions, Simulator } from 'skerry/simulation'
import type { LoadedSimulation } from './simulation-file.ts'
import { loadSimulation } from './simulation-file.ts'

export interface RunnerOptions {
  /** The absolute path of the simulation's file. */
  readonly path: string
  readonly faults: FaultLevel
  readonly operations: number
  /** Find out how little a failure needs. */
  readonly shrink: boolean
}

/** What one seed came to. */
export interface SeedReport {
  readonly seed: number
  readonly steps: number
  readonly hash: string
  readonly faults: Readonly<Record<string, number>>
  readonly crashPoints: Readonly<Record<string, number>>
  readonly sometimes: Readonly<Record<string, number>>
  readonly failed: FailedSeed | undefined
  /** Choices that were to be repeated, and were never asked for: the code has changed since. */
  readonly unasked: readonly string[]
}

export interface FailedSeed {
  readonly failure: Failure
  readonly regression: Regression
  /** What happened, for a person. */
  readonly trace: string
  /** Of the run that failed first. */
  readonly before: { readonly operations: number; readonly choices: number }
  /** How many runs it took to shrink it. */
  readonly tries: number
  /** It failed again when it was run again; true also when nobody tried. */
  readonly repeats: boolean
}

export class Runner implements AsyncDisposable {
  readonly #loaded: LoadedSimulation
  readonly #simulator: Simulator<unknown>
  readonly #options: RunnerOptions

  private constructor(loaded: LoadedSimulation, simulator: Simulator<unknown>, options: RunnerOptions) {
    this.#loaded = loaded
    this.#simulator = simulator
    this.#options = options
  }

  static async open(options: RunnerOptions): Promise<Runner> {
    const loaded = await loadSimulation(options.path)
    return new Runner(loaded, await loaded.platform.openSimulator(loaded.simulation), options)
  }

  runSeed(seed: number): Promise<SeedReport> {
    const { faults, operations, shrink } = this.#options
    return this.#run({ seed, faults, operations }, shrink)
  }

  /** Runs a kept failure as it was kept. */
  replay(regression: Regression): Promise<SeedReport> {
    return this.#run(this.#loaded.platform.optionsOf(regression), false)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#simulator[Symbol.asyncDispose]()
  }

  async #run(options: RunOptions, shrink: boolean): Promise<SeedReport> {
    const run = await this.#simulator.run(options)
    const { seed, steps, hash, faults, crashPoints, sometimes, unasked } = run
    return {
      seed,
      steps,
      hash,
      faults: Object.fromEntries(faults),
      crashPoints: Object.fromEntries(crashPoints),
      sometimes: Object.fromEntries(sometimes),
      failed: run.failure === undefined ? undefined : await this.#describe(run, options, shrink),
      unasked,
    }
  }

  async #describe(failed: Run, options: RunOptions, shrink: boolean): Promise<FailedSeed> {
    const { platform, simulation } = this.#loaded
    const smallest = shrink
      ? await platform.shrink(failed, options, { run: (smaller) => this.#simulator.run(smaller) })
      : { run: failed, options, tries: 0 }
    return {
      failure: smallest.run.failure!,
      regression: platform.toRegression(simulation.name, smallest.run, smallest.options),
      trace: platform.formatTrace(smallest.run.trace),
      before: { operations: failed.history.length, choices: failed.choices.length },
      tries: smallest.tries,
      repeats: smallest.tries === 0 || smallest.run !== failed,
    }
  }
}
