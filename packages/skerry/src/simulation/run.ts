/** One run of a simulation: a seed from the first start to the last check. First chaos while clients work, then everything heals and must come to rest. */
import process from 'node:process'
import { seededRandom } from '../base/random.ts'
import { createClient } from '../client/client.ts'
import { dependencyOn } from '../client/dependency.ts'
import type { Contract } from '../contract/contract.ts'
import { beforeDeadline } from '../resilience/deadline.ts'
import { GATEWAY } from '../runtime/system.ts'
import { createLog } from '../telemetry/log.ts'
import { childTrace, formatTraceparent } from '../telemetry/trace-context.ts'
import { SimulatedBroker } from './broker.ts'
import { Choices, unit } from './choices.ts'
import { Cluster } from './cluster.ts'
import { SimulatedDatabases } from './databases.ts'
import type { Escape } from './escapes.ts'
import { refuseEscapesInSql, watchForEscapes } from './escapes.ts'
import type { FaultKind } from './faults.ts'
import { FAULT_KINDS, FAULT_LEVELS, Faults, MAX_SKEW_MS, ratesOf } from './faults.ts'
import type { Sample } from './inputs.ts'
import { planOperations } from './inputs.ts'
import type { Invariant, OperationRecord } from './invariant.ts'
import { Network } from './network.ts'
import type { Engineering, Failure, FailureKind, Run, RunOptions } from './outcome.ts'
import { RUN_DEFAULTS } from './outcome.ts'
import type { GatewayAnswer, OperationContext, Outside, Simulation } from './simulation.ts'
import type { Store } from './store.ts'
import { shown } from './trace.ts'
import { World } from './world.ts'

const MAX_THINKING_MS = 200
/** How long chaos goes on when clients have done. */
const MAX_AFTERMATH_MS = 10_000
const REQUEST_MS = 60_000
/** How long to wait before the world is asked again whether it has come to rest, twice as long each time. */
const LOOK_AGAIN_MS = 50
const MAX_LOOK_AGAIN_MS = 30_000

/** The books of delivery and schedules, which go on by themselves; what happened is in streams. */
const OF_THE_PLATFORM = /\bskerry_(?!stream)/

const silent = createLog({ level: 'silent' })

class Failed extends Error {
  readonly failure: Failure

  constructor(kind: FailureKind, name: string, messages: readonly string[]) {
    super(`${name}: ${messages.join('; ')}`)
    this.failure = { kind, name, messages }
  }
}

export async function runSeed<State>(
  simulation: Simulation<State>,
  store: Store,
  sample: Sample,
  engineering: Engineering,
  options: RunOptions,
): Promise<Run> {
  const { seed, faults: level, rates, operations, only, onlyOperations, calm = false } = { ...RUN_DEFAULTS, ...options }
  checkOptions({ ...RUN_DEFAULTS, ...options })
  const choices = new Choices({ seed, only, calm })
  const faults = new Faults(choices, ratesOf(level, rates))
  const world = new World({ choices, faults })
  const history: OperationRecord[] = []
  await store.reset()
  const stopWatching = watch(world)
  let scene: Scene<State> | undefined
  let failure: Failure | undefined
  try {
    scene = new Scene(simulation, world, store, engineering, history, MAX_SKEW_MS[level])
    const planned = planOperations(simulation.options, seed, operations, sample).filter(({ index }) => onlyOperations?.has(index) ?? true)
    await scene.play(planned)
  } catch (error) {
    failure = error instanceof Failed ? error.failure : { kind: 'error', name: 'the run', messages: [textOf(error)] }
  } finally {
    scene?.close()
    stopWatching()
  }
  const run: Run = {
    seed,
    failure,
    sometimes: new Map(),
    hash: world.trace.hash,
    trace: world.trace.lines,
    choices: choices.taken,
    unasked: choices.unasked,
    history,
    steps: world.steps,
    faults: faults.injected,
    crashPoints: scene?.cluster.crashPoints ?? new Map(),
    elapsedMs: world.elapsedMs,
  }
  const sometimes = Object.entries(simulation.options.sometimes ?? {}).map(([name, count]) => [name, count(run)] as const)
  return { ...run, sometimes: new Map(sometimes) }
}

function checkOptions({ seed, faults, rates = {}, operations }: RunOptions & typeof RUN_DEFAULTS): void {
  if (!Number.isSafeInteger(seed)) throw new TypeError(`A seed is a whole number, not ${seed}`)
  if (!Number.isSafeInteger(operations) || operations < 0) throw new TypeError(`The number of operations is a whole one, not ${operations}`)
  if (!FAULT_LEVELS.includes(faults)) throw new TypeError(`There are no faults "${faults}": use ${FAULT_LEVELS.join(', ')}`)
  for (const [kind, rate] of Object.entries(rates)) {
    if (!FAULT_KINDS.includes(kind as FaultKind)) throw new TypeError(`There is no fault "${kind}": there are ${FAULT_KINDS.join(', ')}`)
    if (!(rate >= 0 && rate <= 1)) throw new TypeError(`The rate of ${kind} is a probability from 0 to 1, not ${rate}`)
  }
}

function breakingOff(world: World): (escape: Escape) => void {
  return ({ node, what, stack }) => world.breakOff(new Failed('escape', what, [`in ${node}: ${stack}`]))
}

let isWatching = false

/** Has what a run must not do break it off, until the returned function is called. Throws when another one is running in this thread. */
function watch(world: World): () => void {
  if (isWatching)
    throw new Error('Another simulation is running in this thread: what is watched for belongs to all of it. Run one after the other')
  isWatching = true
  const stopWatching = watchForEscapes(breakingOff(world))
  const onRejection = (reason: unknown): void => world.breakOff(new Failed('error', 'a rejection that nobody handles', [textOf(reason)]))
  process.on('unhandledRejection', onRejection)
  return () => {
    isWatching = false
    process.off('unhandledRejection', onRejection)
    stopWatching()
  }
}

/** Starts everything once and stops it in order, so that what services make for themselves at their first start is there for every seed. */
export async function rehearse<State>(simulation: Simulation<State>, store: Store): Promise<void> {
  const choices = new Choices({ seed: 0, calm: true })
  const world = new World({ choices, faults: new Faults(choices, ratesOf('none')) })
  const scene = new Scene(simulation, world, store, {}, [], 0)
  try {
    await scene.cluster.start()
    await scene.cluster.stop()
  } finally {
    scene.close()
  }
}

/** All that takes part in one run. */
class Scene<State> {
  readonly cluster: Cluster
  readonly #simulation: Simulation<State>
  readonly #world: World
  readonly #network: Network
  readonly #broker: SimulatedBroker
  readonly #databases: SimulatedDatabases
  readonly #store: Store
  readonly #state: State
  readonly #history: OperationRecord[]
  #lookedAt = 0
  /** Statements that may have written what services keep. */
  #writes = 0

  constructor(
    simulation: Simulation<State>,
    world: World,
    store: Store,
    engineering: Engineering,
    history: OperationRecord[],
    maxSkewMs: number,
  ) {
    const { system, state, resources, previous = [], instances = {}, environment = {} } = simulation.options
    this.#simulation = simulation
    this.#world = world
    this.#store = store
    this.#history = history
    this.#network = new Network(world)
    this.#broker = new SimulatedBroker(world)
    this.#databases = new SimulatedDatabases({
      world,
      open: (service) => store.of(service),
      onStatement: (sql, service) => {
        refuseEscapesInSql(sql, breakingOff(world))
        if (store.noteStatement(sql, service) && !OF_THE_PLATFORM.test(sql)) this.#writes++
      },
    })
    const outside = this.#outsideOf('outside', 'outside')
    this.#state = state(outside)
    this.cluster = new Cluster({
      world,
      network: this.#network,
      broker: this.#broker,
      databases: this.#databases,
      system,
      previous,
      instances,
      environment,
      engineering,
      resources: () => resources?.(this.#state, outside) ?? {},
      maxSkewMs,
      log: silent,
    })
  }

  async play(operations: ReturnType<typeof planOperations>): Promise<void> {
    const world = this.#world
    const { clients = 3, invariants, eventually = {} } = this.#simulation.options
    await this.cluster.start()
    world.onStep = () => this.#whenQuiet()
    world.faults.begin()
    const left = [...operations]
    const working = Array.from({ length: clients }, (_, index) => this.#client(`client ${index + 1}`, left))
    await world.until(
      Promise.all(working),
      () =>
        `these still wait: ${this.#history.flatMap(({ client, name, endedAtMs }) => (endedAtMs === undefined ? [`${client}, ${name}`] : [])).join('; ')}`,
      this.#simulation.restWithinMs,
    )
    // What follows from it goes wrong, too: deliveries that are late, retries, compensations.
    await world.advance(world.nowMs + world.choices.sizeOf('aftermath') * MAX_AFTERMATH_MS)
    await this.#check(invariants, 'invariant', false)
    world.say('everything heals')
    world.faults.heal()
    this.#network.heal()
    this.#broker.heal()
    await this.cluster.heal()
    await this.#rest()
    await this.#check(invariants, 'invariant', true)
    await this.#check(eventually, 'eventually', true)
  }

  close(): void {
    this.cluster.close()
  }

  /** At a moment at which nobody is at anything, and something has happened since the last one, what must always hold is looked at. */
  #whenQuiet(): Promise<void> | undefined {
    const { trace } = this.#world
    const happened = trace.lines.length + this.#writes
    if (happened === this.#lookedAt || !this.#isIdle) return undefined
    this.#lookedAt = happened
    return this.#check(this.#simulation.options.invariants, 'invariant', false)
  }

  /** Takes one operation after the other from those that are left, thinking in between. */
  async #client(client: string, left: ReturnType<typeof planOperations>[number][]): Promise<void> {
    const world = this.#world
    for (;;) {
      await world.pause(`${client} thinks`, 0, MAX_THINKING_MS)
      const next = left.shift()
      if (next === undefined) return
      const { index, name, input, random } = next
      const record: OperationRecord = {
        index,
        client,
        name,
        input,
        beganAtMs: world.nowMs,
        endedAtMs: undefined,
        result: undefined,
        error: undefined,
      }
      this.#history.push(record)
      world.say(`${name} ${shown(input)}`.trimEnd(), client)
      const clock = world.clockOf(undefined, 0)
      const context: OperationContext<State> = {
        ...this.#outsideOf(client, `operation ${index}`),
        random,
        client,
        state: this.#state,
        clientOf: (contract: Contract) =>
          createClient(contract, {
            dependency: dependencyOn(this.#network.linkFrom(client, GATEWAY, `operation ${index}`), { clock, random }),
            clock,
            random,
          }) as never,
      }
      try {
        record.result = await this.#simulation.options.operations[name]!.run(context, input)
        world.say(`${name} → ${record.result === undefined ? 'done' : shown(record.result)}`, client)
      } catch (error) {
        record.error = error
        world.say(`${name} failed: ${error instanceof Error ? error.message : String(error)}`, client)
      }
      record.endedAtMs = world.nowMs
    }
  }

  #outsideOf(name: string, seededBy: string): Outside {
    const world = this.#world
    const clock = world.outsideClock()
    const random = seededRandom(unit(world.choices.seed, seededBy) * 0x1_0000_0000)
    const carry = async (way: string, lost: 'lostRequest' | 'lostAnswer'): Promise<'delivered' | 'lost'> => {
      await world.pause(way, 1, 8)
      if (world.fault(lost, way) === undefined) return 'delivered'
      world.say(`${lost === 'lostRequest' ? 'a request' : 'an answer'} is lost: ${way}`)
      return 'lost'
    }
    return {
      clock,
      random,
      reach: async (way) => {
        if (world.fault('refusedCall', way) === undefined) return carry(way, 'lostRequest')
        world.say(`a request is refused: ${way}`)
        return 'refused'
      },
      answer: (way) => carry(way, 'lostAnswer'),
      request: async (method, path, body, headers = {}) => {
        const text = body === undefined ? undefined : JSON.stringify(body)
        const type: Record<string, string> = text === undefined ? {} : { 'content-type': 'application/json' }
        const traceparent = formatTraceparent(childTrace(undefined, random))
        const message = { method, path, headers: { traceparent, ...type, ...headers }, body: text }
        const answer = this.#network.request(name, GATEWAY, seededBy, message)
        const answered = await beforeDeadline(clock, clock.nowMs() + REQUEST_MS, answer)
        if (answered === undefined) throw new Error(`${method} ${path} was not answered within ${REQUEST_MS} ms`)
        const { status, text: content } = answered
        return { status, body: content === '' ? undefined : (JSON.parse(content) as unknown) } satisfies GatewayAnswer
      },
    }
  }

  /** Lets time pass until nothing is left that would go on by itself. */
  async #rest(): Promise<void> {
    const world = this.#world
    const giveUpAtMs = world.nowMs + this.#simulation.restWithinMs
    let dueMs: number | undefined = world.nowMs
    for (let pauseMs = LOOK_AGAIN_MS; dueMs !== undefined; pauseMs = Math.min(2 * pauseMs, MAX_LOOK_AGAIN_MS)) {
      await world.advance(Math.max(world.nowMs + pauseMs, dueMs))
      if (world.nowMs > giveUpAtMs)
        throw new Failed('restless', 'the system comes to rest', [
          `${Math.round(this.#simulation.restWithinMs / 60_000)} minutes after everything had healed there was still something to do`,
          ...(this.#databases.isFree ? await this.cluster.restlessness() : ['a transaction is open all the while']),
        ])
      dueMs = this.#isIdle ? earlier(await this.cluster.dueMs(), world.outsideDueMs) : world.nowMs
      // To be asked takes time, and something may have been taken up meanwhile.
      if (!this.#isIdle) dueMs = world.nowMs
    }
  }

  get #isIdle(): boolean {
    return this.cluster.isIdle && this.#broker.isEmpty && this.#databases.isFree && this.#network.onTheirWay === 0
  }

  async #check(invariants: Readonly<Record<string, Invariant<State>>>, kind: 'invariant' | 'eventually', atRest: boolean): Promise<void> {
    const world = this.#world
    // A transaction that is open keeps the one session to itself.
    while (!this.#databases.isFree)
      if (!(await world.step()))
        throw new Failed('restless', 'the system comes to rest', ['a transaction is open, and nothing is left to do that could end it'])
    const seen = { databases: this.#store.all, state: this.#state, history: this.#history, now: new Date(world.nowMs), atRest }
    for (const [name, invariant] of Object.entries(invariants)) {
      const messages = await (async () => invariant(seen))().catch((error: unknown) => [`it could not be told: ${textOf(error)}`])
      if (!Array.isArray(messages)) throw new TypeError(`"${name}" must return a list of what is wrong, not ${typeof messages}`)
      if (messages.length > 0) throw new Failed(kind, name, messages)
    }
  }
}

function earlier(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other)
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
