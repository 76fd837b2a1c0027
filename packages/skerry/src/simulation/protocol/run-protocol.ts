/**
 * Runs the platform's decisions, relay, inbox and sagas, against each other in one thread, on tables in memory and in virtual time, under
 * everything that may go wrong between them. First chaos, then no more faults, and all must come to rest. The same seed does the same.
 */
import type { Choice } from '../choices.ts'
import type { ProtocolEngines } from './engines.ts'
import { ENGINES } from './engines.ts'
import type { FaultLevel } from './faults.ts'
import type { ProtocolState } from './state.ts'
import { stateOf } from './state.ts'
import { System } from './system.ts'
import { START_MS, World } from './world.ts'

export interface ProtocolOptions {
  readonly seed: number
  readonly faults: FaultLevel
  /** About how many entries of the agenda a run has. Default 2,000. */
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
  readonly state: ProtocolState
  readonly trace: readonly string[] | undefined
}

const EVENTS_PER_COMMAND = 30
const COMMAND_MS = { min: 20, max: 500 }
/** For what is on its way when the last command has come. */
const LAST_MS = 3_000
/** Longer than whatever anybody waits for: a pause, a lease, an early message that is looked at again. */
const REST_MS = 240_000
const LOOK_EVERY_STEPS = 16

export function runProtocol(options: ProtocolOptions): ProtocolRun {
  const { seed, faults, only, calm = false, events = 2_000, traced = false } = options
  const world = new World({ seed, faults, only, calm, traced })
  const system = new System(world, options.engines === undefined ? ENGINES : { ...ENGINES, ...options.engines })
  const commands = Math.ceil(events / EVENTS_PER_COMMAND)
  let atMs = START_MS
  for (let number = 1; number <= commands; number++) {
    atMs += world.delayMs('until the next command', COMMAND_MS.min, COMMAND_MS.max)
    world.at(atMs, () => system.command(number))
  }
  system.start(START_MS + Math.floor((atMs - START_MS) * 0.4))
  while (world.step(atMs + LAST_MS));
  world.heal()
  const maxSteps = world.steps + 20 * events
  while (world.steps < maxSteps && world.step(atMs + LAST_MS + REST_MS)) if (world.steps % LOOK_EVERY_STEPS === 0 && system.isSettled) break
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
