/**
 * Keeps so many instances of each service running as there should be, each in a process of its own: those that die are started again, those that
 * are replaced go on until their successors serve. What is done to one service is done one thing after the other.
 */
import type { Clock, Random, Timer } from 'skerry/engine'
import type { Instance } from './instance.ts'
import type { Deaths } from './restart-policy.ts'
import { afterDeath } from './restart-policy.ts'

/** What is known here of an instance. */
export type Launched = Pick<Instance, 'started' | 'ended' | 'startedAtMs' | 'admin' | 'pid' | 'serve' | 'stop'>

export interface SupervisorOptions {
  /** How many instances of each there should be. The last one is started when the others serve, and stopped before them. */
  readonly services: ReadonlyMap<string, number>
  /** Services whose data one process has at a time: their instances are stopped before their successors start. */
  readonly exclusive: ReadonlySet<string>
  readonly memoryLimitBytes: number | undefined
  readonly clock: Clock
  readonly random: Random
  /** May throw, where nothing is left to make a process of. */
  readonly launch: (service: string, instance: string, onMemory: (rssBytes: number) => void) => Launched
  /** Told what happens, for people. */
  readonly say: (level: 'info' | 'warn' | 'error', message: string, fields: Readonly<Record<string, unknown>>) => void
  /** Told when an instance has begun to serve. */
  readonly onServing: (service: string) => void
}

type State = 'starting' | 'serving' | 'waiting' | 'stopping'

export interface InstanceStatus {
  readonly service: string
  readonly instance: string
  readonly state: State
  readonly pid: number | null
  readonly startedAtMs: number | null
  readonly rssBytes: number | null
  readonly restarts: number
  readonly admin: string | null
  /** It dies again and again; it is tried slowly. */
  readonly crashLoop: boolean
}

interface Slot {
  readonly name: string
  state: State
  process: Launched | undefined
  /** The process that has been found to be too large, and of which that has been said. */
  tooLarge: Launched | undefined
  rssBytes: number | undefined
  deaths: Deaths
  crashLoop: boolean
  restarts: number
  waiting: Timer | undefined
}

interface Group {
  readonly service: string
  readonly slots: Slot[]
  /** What is being done to it; the next thing waits. */
  turn: Promise<unknown>
}

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #groups = new Map<string, Group>()
  #stopping = false

  constructor(options: SupervisorOptions) {
    this.#options = options
    for (const service of options.services.keys()) this.#groups.set(service, { service, slots: [], turn: Promise.resolve() })
  }

  /** Resolves when every instance has started, or has failed to for the first time. */
  async start(): Promise<void> {
    const services = [...this.#options.services]
    const last = services.pop()!
    await Promise.all(services.map(([service, count]) => this.scale(service, count)))
    await this.scale(...last)
  }

  /** The processes that serve now. */
  serving(service: string): readonly Launched[] {
    return this.#group(service).slots.flatMap(({ state, process }) => (state === 'serving' && process !== undefined ? [process] : []))
  }

  status(): readonly InstanceStatus[] {
    return [...this.#groups.values()].flatMap(({ service, slots }) =>
      slots.map(({ name, state, process, rssBytes, restarts, crashLoop }) => ({
        service,
        instance: name,
        state,
        pid: process?.pid ?? null,
        startedAtMs: process?.startedAtMs ?? null,
        rssBytes: rssBytes ?? null,
        restarts,
        admin: process?.admin ?? null,
        crashLoop,
      })),
    )
  }

  /** Resolves when there are so many and all have started or failed to; those that are too many have finished what they had begun. */
  scale(service: string, count: number): Promise<void> {
    return this.#inTurn(service, async (group) => {
      const tooMany = group.slots.splice(count)
      const missing = Array.from({ length: count - group.slots.length }, (_, index) =>
        newSlot(`${service}#${group.slots.length + index + 1}`),
      )
      group.slots.push(...missing)
      await Promise.all([...missing.map((slot) => this.#start(group, slot)), ...tooMany.map((slot) => this.#stopSlot(slot))])
    })
  }

  /** Replaces the instances of a service one by one. Resolves with why the first that does not start does not; the others stay as they are. */
  restart(service: string): Promise<string | undefined> {
    return this.#inTurn(service, async (group) => {
      for (const slot of group.slots) {
        const failure = await this.#replace(group, slot)
        if (failure !== undefined) return `${slot.name}: ${failure}`
      }
      return undefined
    })
  }

  /** Stops everything in order. */
  async stop(): Promise<void> {
    this.#stopping = true
    const groups = [...this.#groups.values()]
    const stopAll = ({ slots }: Group): Promise<unknown> => Promise.all(slots.map((slot) => this.#stopSlot(slot)))
    await stopAll(groups.pop()!)
    await Promise.all(groups.map(stopAll))
  }

  #group(service: string): Group {
    return this.#groups.get(service)!
  }

  #inTurn<T>(service: string, work: (group: Group) => Promise<T>): Promise<T> {
    const group = this.#group(service)
    const done = group.turn.then(() => work(group))
    group.turn = done.catch(() => undefined)
    return done
  }

  /** Resolves when it serves, or has not managed to: then it is tried again by itself. */
  async #start(group: Group, slot: Slot): Promise<void> {
    if (this.#stopping) return
    slot.state = 'starting'
    const process = this.#launch(group, slot)
    if (typeof process === 'string') return this.#died(group, slot, process)
    this.#adopt(group, slot, process)
    const failure = await process.started
    if (slot.process === process && slot.state === 'starting') {
      if (failure === undefined) this.#serves(group, slot)
      else this.#options.say('error', `${slot.name} could not start: ${failure}`, { instance: slot.name })
    }
  }

  /** Returns why there is none when it cannot be made. */
  #launch(group: Group, slot: Slot): Launched | string {
    let startedBytes: number | undefined
    try {
      const process: Launched = this.#options.launch(group.service, slot.name, (rssBytes) => {
        startedBytes ??= rssBytes
        if (slot.process === process) this.#weigh(group, slot, rssBytes, startedBytes)
      })
      return process
    } catch (error) {
      return `its process could not be made: ${error instanceof Error ? error.message : String(error)}`
    }
  }

  #adopt(group: Group, slot: Slot, process: Launched): void {
    slot.waiting?.cancel()
    slot.process = process
    slot.rssBytes = undefined
    void process.ended.then((how) => {
      if (slot.process === process && slot.state !== 'stopping') this.#died(group, slot, how)
    })
  }

  #serves(group: Group, slot: Slot): void {
    slot.state = 'serving'
    slot.crashLoop = false
    this.#options.say('info', `${slot.name} serves`, { instance: slot.name, pid: slot.process?.pid })
    this.#options.onServing(group.service)
  }

  #died(group: Group, slot: Slot, how: string): void {
    const { clock, random, say } = this.#options
    const { deaths, pauseMs, crashLoop } = afterDeath(slot.deaths, clock.nowMs(), random)
    say('warn', `${slot.name} has ended (${how}); it is started again in ${seconds(pauseMs)} s`, { instance: slot.name })
    if (crashLoop && !slot.crashLoop)
      say('error', `${slot.name} is in a crash loop: ${deaths.length} deaths, each within a minute of the one before. Its log says why`, {
        instance: slot.name,
      })
    slot.waiting?.cancel()
    Object.assign(slot, { state: 'waiting', process: undefined, rssBytes: undefined, deaths, crashLoop, restarts: slot.restarts + 1 })
    slot.waiting = clock.setTimer(pauseMs, () => void this.#start(group, slot))
  }

  /** Resolves with why its successor does not start; then it is as it was, unless it had to make room. */
  async #replace(group: Group, slot: Slot): Promise<string | undefined> {
    const before = slot.process
    if (before === undefined || this.#options.exclusive.has(group.service)) {
      await this.#stopSlot(slot)
      await this.#start(group, slot)
      return slot.state === 'serving' ? undefined : 'it does not start; it is tried again'
    }
    const successor = this.#launch(group, slot)
    if (typeof successor === 'string') return successor
    const failure = await successor.started
    // What it was to replace may have been stopped meanwhile, with everything else.
    if (failure !== undefined || this.#stopping) {
      await successor.stop()
      return failure ?? 'everything is being stopped'
    }
    const left = slot.process
    this.#adopt(group, slot, successor)
    this.#serves(group, slot)
    await left?.stop()
    return undefined
  }

  async #stopSlot(slot: Slot): Promise<void> {
    slot.waiting?.cancel()
    slot.state = 'stopping'
    await slot.process?.stop()
    slot.process = undefined
  }

  /**
   * Replaces one that has become too large, after a pause as after a death, as soon as nothing else is done to its service. One that has been
   * from the start is left alone: so would its successor be.
   */
  #weigh(group: Group, slot: Slot, rssBytes: number, startedBytes: number): void {
    const { memoryLimitBytes = Infinity, clock, random, say } = this.#options
    const { process, name } = slot
    slot.rssBytes = rssBytes
    if (rssBytes <= memoryLimitBytes || slot.tooLarge === process) return
    slot.tooLarge = process
    const facts = `${name} has ${mebibytes(rssBytes)} MiB, and may have ${mebibytes(memoryLimitBytes)}`
    if (startedBytes > memoryLimitBytes)
      return say(
        'error',
        `${facts}: it is left as it is, because it had ${mebibytes(startedBytes)} MiB when it had just started, as any other would. Raise --memory`,
        { instance: name },
      )
    const { deaths, pauseMs, crashLoop } = afterDeath(slot.deaths, clock.nowMs(), random)
    Object.assign(slot, { deaths, crashLoop })
    say('warn', `${facts}: it is replaced in ${seconds(pauseMs)} s`, { instance: name })
    if (crashLoop) say('error', `${name} becomes too large again and again: it leaks, or --memory is too low`, { instance: name })
    slot.waiting?.cancel()
    slot.waiting = clock.setTimer(pauseMs, () => void this.#inTurn(group.service, () => this.#replaceLarge(group, slot, process)))
  }

  async #replaceLarge(group: Group, slot: Slot, process: Launched | undefined): Promise<void> {
    if (slot.process !== process || slot.state !== 'serving') return
    slot.restarts++
    const failure = await this.#replace(group, slot)
    if (failure === undefined) return
    // Then it is weighed again.
    slot.tooLarge = undefined
    this.#options.say('error', `${slot.name} could not be replaced: ${failure}`, { instance: slot.name })
  }
}

function newSlot(name: string): Slot {
  return {
    name,
    state: 'starting',
    process: undefined,
    tooLarge: undefined,
    rssBytes: undefined,
    deaths: [],
    crashLoop: false,
    restarts: 0,
    waiting: undefined,
  }
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 1_048_576)
}

function seconds(ms: number): number {
  return Math.round(ms / 100) / 10
}
