/** The processes of a simulated world: a host for each service and one for the gateway, that start, die, and start again. */
import { observeCrashPoints } from '../base/crash-points.ts'
import type { CrashPoint } from '../base/crash-points.ts'
import { seededRandom } from '../base/random.ts'
import type { HostConfiguration } from '../runtime/configuration.ts'
import { readConfiguration, variablePrefix } from '../runtime/configuration.ts'
import type { Host } from '../runtime/host.ts'
import { startHost } from '../runtime/host.ts'
import type { System } from '../runtime/system.ts'
import { GATEWAY, select } from '../runtime/system.ts'
import type { WorkLeft } from '../runtime/work-left.ts'
import { isBusy, workLeft } from '../runtime/work-left.ts'
import type { Service } from '../service/service.ts'
import type { Log } from '../telemetry/log.ts'
import { currentScope } from '../telemetry/scope.ts'
import type { SimulatedBroker } from './broker.ts'
import { unit } from './choices.ts'
import type { SimulatedDatabases } from './databases.ts'
import { currentLife, inLife, Life } from './life.ts'
import type { Network } from './network.ts'
import { urlOf } from './network.ts'
import type { Engineering } from './outcome.ts'
import type { World } from './world.ts'

const MIN_DOWN_MS = 20
const MAX_DOWN_MS = 3_000

export interface ClusterOptions {
  readonly world: World
  readonly network: Network
  readonly broker: SimulatedBroker
  readonly databases: SimulatedDatabases
  readonly system: System
  /** Earlier versions of services: until the world is healed, each start of such a service is that of either version. */
  readonly previous: readonly Service[]
  /** How many processes run a service. Default: 1. */
  readonly instances: Readonly<Record<string, number>>
  readonly environment: Readonly<Record<string, string>>
  /** What services are given instead of their resources; asked for each start. */
  readonly resources: () => Readonly<Record<string, unknown>>
  readonly maxSkewMs: number
  readonly engineering: Engineering
  readonly log: Log
}

interface Node {
  readonly name: string
  readonly service: string
  starts: number
  life: Life | undefined
  host: Host | undefined
}

export class Cluster {
  readonly #options: ClusterOptions
  readonly #nodes: readonly Node[]
  readonly #crashPoints = new Map<CrashPoint, number>()
  #isHealed = false

  constructor(options: ClusterOptions) {
    this.#options = options
    const { system, instances } = options
    const services = [...system.services.map(({ contract }) => contract.name), ...(system.gateway === undefined ? [] : [GATEWAY])]
    this.#nodes = services.flatMap((service) =>
      Array.from({ length: instances[service] ?? 1 }, (_, index) => ({
        name: index === 0 ? service : `${service} ${index + 1}`,
        service,
        starts: 0,
        life: undefined,
        host: undefined,
      })),
    )
    options.world.onMoment = (life, where, traceId) => this.#mayCrash(life, where, traceId)
    observeCrashPoints((point) => this.#pass(point))
  }

  /** How often each named point was passed. */
  get crashPoints(): ReadonlyMap<CrashPoint, number> {
    return this.#crashPoints
  }

  /** Starts all processes; resolves when they are up. */
  async start(): Promise<void> {
    for (const node of this.#nodes) await this.#options.world.until(this.#start(node), () => `${node.name} is not up`)
  }

  /** Stops all processes as an operator would: in order, and with nothing left behind. */
  async stop(): Promise<void> {
    for (const { host, life, name } of this.#nodes)
      await this.#options.world.until(
        inLife(life, async () => host?.stop()),
        () => `${name} does not stop`,
      )
  }

  /** Whatever is down starts, and whatever runs an earlier version starts again with the present one. */
  async heal(): Promise<void> {
    this.#isHealed = true
    const isOld = (service: string): boolean => this.#options.previous.some(({ contract }) => contract.name === service)
    for (const node of this.#nodes) {
      if (isOld(node.service) && node.life !== undefined) this.#end(node, 'stops for the present version')
      if (node.life === undefined) await this.#options.world.until(this.#start(node), () => `${node.name} is not up`)
    }
  }

  /** Nothing runs any more. */
  close(): void {
    observeCrashPoints(undefined)
    for (const { life } of this.#nodes) life?.end()
  }

  /** Nobody is at anything this very moment. */
  get isIdle(): boolean {
    return this.#nodes.every(({ host }) => host !== undefined && ![...host.instances.values()].some(isBusy))
  }

  /** When the next thing that will go on by itself is due; undefined when there is nothing. */
  async dueMs(): Promise<number | undefined> {
    const { world } = this.#options
    let firstMs: number | undefined
    for await (const { outbox, dueMs } of this.#workLeft()) {
      const atMs = outbox > 0 ? world.nowMs : dueMs
      if (atMs !== undefined) firstMs = Math.min(firstMs ?? Infinity, atMs)
      // What the others have to do is not sooner.
      if (firstMs !== undefined && firstMs <= world.nowMs) return firstMs
    }
    return firstMs
  }

  /** What keeps the world from coming to rest, for a person. */
  async restlessness(): Promise<readonly string[]> {
    const down = this.#nodes.filter(({ host }) => host === undefined).map(({ name }) => `${name} is down`)
    const left: (WorkLeft & { readonly busy: boolean })[] = []
    for await (const one of this.#workLeft()) left.push(one)
    return [
      ...down,
      ...left.flatMap(({ name, busy, outbox, dueMs }) => [
        ...(busy ? [`${name} is at something`] : []),
        ...(outbox > 0 ? [`${outbox} events in the outbox of ${name}`] : []),
        ...(dueMs === undefined ? [] : [`${name} has something to do at ${new Date(dueMs).toISOString()}`]),
      ]),
    ]
  }

  /** What each process that is up still has to do by itself. */
  async *#workLeft(): AsyncGenerator<WorkLeft & { readonly busy: boolean }> {
    for (const { host, life, name } of this.#nodes)
      for (const instance of host?.instances.values() ?? []) {
        const busy = isBusy(instance)
        const left = await this.#options.world.until(
          inLife(life, () => workLeft(instance)),
          () => `${name} does not say what it has to do`,
        )
        yield { ...left, name, busy }
      }
  }

  async #start(node: Node): Promise<void> {
    const { world, network, broker, databases, engineering, environment, resources, maxSkewMs, log } = this.#options
    const life = new Life(node.name, node.service)
    node.life = life
    const start = `${node.name}, start ${++node.starts}`
    const skew = world.fault('clockSkew', node.name)
    const skewMs = skew === undefined ? 0 : Math.round((world.choices.sizeOf(skew) * 2 - 1) * maxSkewMs)
    const running = this.#versionOf(node)
    const selection = select(running, [node.service])
    const configuration = await configurationOf(running, node.service, environment)
    const exclusive = this.#nodes.filter(({ service }) => service === node.service).length === 1
    world.say(`starts${skewMs === 0 ? '' : `, its clock ${skewMs} ms ahead`}`, node.name)
    try {
      const host = await inLife(life, () =>
        startHost({
          system: running,
          selection,
          configuration,
          engines: {
            database: async () => between(engineering.database, databases.engineOf(life, exclusive)),
            broker: async () => between(engineering.broker, broker.engineOf(life)),
          },
          transport: network.transportOf(life),
          resources: new Map(Object.entries(resources())),
          clock: world.clockOf(life, skewMs),
          random: seededRandom(unit(world.choices.seed, start) * 0x1_0000_0000),
          log,
        }),
      )
      if (node.life === life) node.host = host
    } catch (error) {
      if (world.faults.isOver) throw error
      this.#end(node, `could not start: ${error instanceof Error ? error.message : String(error)}`)
      this.#startLater(node, MAX_DOWN_MS)
    }
  }

  #versionOf({ service, name }: Node): System {
    const { system, previous, world } = this.#options
    const old = previous.find(({ contract }) => contract.name === service)
    if (old === undefined || this.#isHealed || world.choices.happens(`${name}: the version before`, 0.5) === undefined) return system
    world.say('is of the version before', name)
    return { ...system, services: system.services.map((other) => (other.contract.name === service ? old : other)) }
  }

  #pass(point: CrashPoint): void {
    const life = currentLife()
    if (life === undefined || life.isOver) return
    this.#crashPoints.set(point, (this.#crashPoints.get(point) ?? 0) + 1)
    this.#mayCrash(life, point, currentScope()?.trace.traceId)
  }

  #mayCrash(life: Life, where: string, traceId: string | undefined): void {
    const node = this.#nodes.find((candidate) => candidate.life === life)
    if (node === undefined || life.isOver) return
    const { world } = this.#options
    const at = where.startsWith(`${node.name}: `) ? where : `${node.name}: ${where}`
    const crash = world.fault('crash', at, traceId)
    if (crash === undefined) return
    this.#end(node, `dies at ${at.slice(node.name.length + 2)}`)
    this.#startLater(node, MIN_DOWN_MS + world.choices.sizeOf(crash) * (MAX_DOWN_MS - MIN_DOWN_MS))
  }

  #end(node: Node, why: string): void {
    const { world, network, broker } = this.#options
    const { life } = node
    if (life === undefined) return
    world.say(why, node.name)
    node.life = undefined
    node.host = undefined
    life.end()
    network.left(life)
    broker.left(life)
  }

  #startLater(node: Node, afterMs: number): void {
    this.#options.world.after(afterMs, undefined, () => {
      if (node.life === undefined) this.#start(node).catch((error: unknown) => this.#options.world.breakOff(error as Error))
    })
  }
}

/** What stands between the services and an engine, if anything does. */
function between<Engine>(change: ((engine: Engine) => Engine) | undefined, engine: Engine): Engine {
  return change === undefined ? engine : change(engine)
}

const configurations = new WeakMap<System, Map<string, Promise<HostConfiguration>>>()

/** The same for every start. */
function configurationOf(system: System, service: string, environment: Readonly<Record<string, string>>): Promise<HostConfiguration> {
  let known = configurations.get(system)
  if (known === undefined) configurations.set(system, (known = new Map()))
  let configuration = known.get(service)
  if (configuration === undefined) {
    const peers = system.services.map(({ contract }) => [`${variablePrefix(contract.name)}_URL`, urlOf(contract.name)] as const)
    const all = { ...Object.fromEntries(peers), SKERRY_DATA: 'memory', BROKER_URL: 'amqp://simulated', PORT: '0', ...environment }
    configuration = readConfiguration(system, select(system, [service]), all)
    known.set(service, configuration)
  }
  return configuration
}
