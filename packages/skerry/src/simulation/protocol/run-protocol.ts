/**
 * Runs the platform's decisions, relay, inbox and sagas, against each other in one thread, on tables in memory and in virtual time, under
 * everything that may go wrong between them. First chaos, then no more faults, and all must come to rest. The same seed does the same.
 */
import type { Choice } from '../choices.ts'
import type { EndState } from '../differential/end-state.ts'
import type { Workload } from '../differential/workload.ts'
import { DrawnClients } from './drawn-clients.ts'
import { DrawnScenario } from './drawn-scenario.ts'
import type { ProtocolEngines } from './engines.ts'
import { ENGINES } from './engines.ts'
import type { FaultLevel } from './faults.ts'
import { PlannedClients } from './planned-clients.ts'
import { PlannedScenario } from './planned-scenario.ts'
import { stateOf } from './state.ts'
import { System } from './system.ts'
import { START_MS, World } from './world.ts'

export interface ProtocolOptions {
  readonly seed: number
  readonly faults: FaultLevel
  /** What is to be done, planned before. Default: it is drawn as the run goes on. */
  readonly workload?: Workload
  /** About how many entries of the agenda a run has, where what is to be done is drawn. Default 2,000. */
  readonly events?: number
  /** Only these turns of events happen, as in a replay. Default: what the seed decides. */
  readonly only?: ReadonlySet<Choice>
  /** Nothing takes longer at one time than at another. */
  readonly calm?: boolean
  /** Decisions to put in the place of the platform's, to see that a mistake in them is found. */
  readonly engines?: Partial<ProtocolEngines>
  /** Keeps what happened as text, which takes several times as long. */
  readonly traced?: boolean
}

export interface ProtocolRun {
  /** Two runs with the same hash have done the same. */
  readonly hash: string
  /** Entries of the agenda that were run. */
  readonly steps: number
  /** What happened by choice, in order: with these as `only` it happens again. */
  readonly taken: readonly Choice[]
  /** How often rare states were reached. */
  readonly sometimes: Readonly<Record<string, number>>
  /** Promises that were broken. */
  readonly violations: readonly string[]
  /** How it ended, in words that do not depend on how tables are kept. */
  readonly state: EndState
  readonly trace: readonly string[] | undefined
}

const EVENTS_PER_COMMAND = 30
/** For what is on its way when the last command has come. */
const LAST_MS = 3_000
/** Longer than whatever anybody waits for: a pause, a lease, an early message that is looked at again. */
const REST_MS = 240_000
const LOOK_EVERY_STEPS = 16

export function runProtocol(options: ProtocolOptions): ProtocolRun {
  const { seed, faults, workload, only, calm = false, events = 2_000, traced = false } = options
  const world = new World({ seed, faults, only, calm, traced })
  const scenario = workload === undefined ? new DrawnScenario(world) : new PlannedScenario(workload)
  const system = new System(world, options.engines === undefined ? ENGINES : { ...ENGINES, ...options.engines }, scenario)
  const clients =
    workload === undefined
      ? new DrawnClients(world, system, Math.ceil(events / EVENTS_PER_COMMAND))
      : new PlannedClients(world, system, workload, scenario.keys)
  const atMs = clients.begin()
  system.start(START_MS + Math.floor((atMs - START_MS) * 0.4))
  while (world.step(atMs + LAST_MS));
  world.heal()
  const maxSteps = world.steps + 20 * events
  while (world.steps < maxSteps && world.step(atMs + LAST_MS + REST_MS))
    if (world.steps % LOOK_EVERY_STEPS === 0 && clients.isOver && system.isSettled) break
  if (!clients.isOver) world.violate('it did not come to rest: clients still ask for something')
  system.final()
  return {
    hash: world.hash,
    steps: world.steps,
    taken: world.choices.taken,
    sometimes: world.sometimes,
    violations: world.violations,
    state: stateOf(system),
    trace: world.trace,
  }
}
