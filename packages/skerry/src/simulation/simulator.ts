/** Runs simulations: opens what they share once, and gives each seed a world of its own. */
import { systemClock } from '../base/clock.ts'
import { needsDatabase } from '../service/hosted-service.ts'
import { migrate } from '../service/migrations.ts'
import type { Service } from '../service/service.ts'
import type { Sample } from './inputs.ts'
import { samplerFor } from './inputs.ts'
import type { Engineering, Run, RunOptions } from './outcome.ts'
import { rehearse, runSeed } from './run.ts'
import type { Simulation } from './simulation.ts'
import { Store } from './store.ts'

export class Simulator<State> implements AsyncDisposable {
  readonly #simulation: Simulation<State>
  readonly #store: Store
  readonly #sample: Sample
  readonly #engineering: Engineering

  constructor(simulation: Simulation<State>, store: Store, sample: Sample, engineering: Engineering) {
    this.#simulation = simulation
    this.#engineering = engineering
    this.#store = store
    this.#sample = sample
  }

  /** Runs one seed. Not two at the same time. */
  run(options: RunOptions): Promise<Run> {
    return runSeed(this.#simulation, this.#store, this.#sample, this.#engineering, options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store.close()
  }
}

/**
 * Opens a simulator: a database in memory for all services, migrated. Takes seconds; its seeds do not. `engineering` puts something between
 * the services and the simulated engines, such as a mistake that the simulation is to find.
 */
export async function openSimulator<State>(simulation: Simulation<State>, engineering: Engineering = {}): Promise<Simulator<State>> {
  const store = await Store.open()
  const beganMs = systemClock.nowMs()
  try {
    const { system } = simulation.options
    for (const service of system.services.filter((candidate: Service) => needsDatabase(candidate))) {
      const { name } = service.contract
      await migrate({ service: name, database: await store.of(name), folder: service.migrations, clock: systemClock })
    }
    await rehearse(simulation, store)
    await store.keep(beganMs)
    return new Simulator(simulation, store, await samplerFor(simulation.options), engineering)
  } catch (error) {
    await store.close()
    throw error
  }
}
