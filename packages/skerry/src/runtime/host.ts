/**
 * A host is one process that runs some or all services of a system. It opens what they need, starts them in an order in
 * which nothing is missing, and stops them in an order in which nothing is lost: unready, take no more, finish, hand over, close.
 */
import type { Clock } from '../base/clock.ts'
import { sleep, systemClock } from '../base/clock.ts'
import type { NewId } from '../base/id.ts'
import { idSource } from '../base/id.ts'
import type { Random } from '../base/random.ts'
import { systemRandom } from '../base/random.ts'
import type { CallEvent } from '../client/call-event.ts'
import type { Client } from '../client/call.ts'
import { createClient } from '../client/client.ts'
import type { Link } from '../client/link.ts'
import type { Using } from '../client/policies.ts'
import type { Contract } from '../contract/contract.ts'
import type { Broker, BrokerEngine } from '../engine/broker.ts'
import { embeddedBroker } from '../engine/embedded-broker.ts'
import type { Registry, RegistryEngine } from '../engine/registry.ts'
import { gatewayRoutes } from '../gateway/gateway.ts'
import type { HttpServer } from '../http/server.ts'
import type { Transport } from '../http/transport.ts'
import type { Recent } from '../recent/recent.ts'
import { Admission } from '../resilience/admission.ts'
import type { RetryPolicy } from '../resilience/retry.ts'
import { InjectedFaults } from '../service/injected-faults.ts'
import { migrate } from '../service/migrations.ts'
import type { Log } from '../telemetry/log.ts'
import type { HostTelemetry } from '../telemetry/telemetry.ts'
import { silentTelemetry } from '../telemetry/telemetry.ts'
import { networkTransport } from '../wire/transport.ts'
import { liveRoutes } from './admin/live-routes.ts'
import { metricsRoute } from './admin/metrics-route.ts'
import { adminRoutes } from './admin/routes.ts'
import { hostAdmin } from './admin/service.ts'
import type { Announcement } from './announcement.ts'
import { announce, openLogged } from './announcement.ts'
import type { HostConfiguration } from './configuration.ts'
import type { Databases, DatabaseEngineFactory } from './databases.ts'
import { openDatabases } from './databases.ts'
import { declaredSystem } from './declared-system.ts'
import { Dependencies } from './dependencies.ts'
import { untilDrained } from './draining.ts'
import type { Health } from './health.ts'
import { healthRoutes } from './health.ts'
import { hostChecks } from './host-checks.ts'
import { observeHost } from './host-metrics.ts'
import { inProcessLink } from './in-process/link.ts'
import { serviceRoutes } from './networked/service-routes.ts'
import { userAgentOf } from './own-user-agent.ts'
import type { ServiceResources } from './resources.ts'
import { openResources } from './resources.ts'
import type { ServiceInstance } from './service-instance.ts'
import { createServiceInstance } from './service-instance.ts'
import type { Selection, System } from './system.ts'
import { consumersOf, GATEWAY, sagaVersionsOf } from './system.ts'

/** Makes the engine for a URL, or the embedded one. The command line loads them from `@skerry/…` by the URL's scheme. */
export interface Engines {
  readonly database: DatabaseEngineFactory
  readonly broker: (url: string) => Promise<BrokerEngine>
  /** Needed when the configuration names a registry. */
  readonly registry?: (url: string) => Promise<RegistryEngine>
}

export interface HostOptions {
  readonly system: System
  readonly selection: Selection
  readonly configuration: HostConfiguration
  readonly engines: Engines
  readonly log: Log
  /** Default: the machine's. */
  readonly clock?: Clock
  readonly random?: Random
  /** Default: nothing is recorded. */
  readonly telemetry?: HostTelemetry | undefined
  /** What the admin API shows of recent telemetry, and what samples the metrics of `telemetry`. Default: nothing is kept. */
  readonly recent?: Recent | undefined
  /** Ends the process, for a fault that asks for it. Default: SIGKILL. */
  readonly kill?: () => void
  /** How it is reached and reaches others. Default: the fast wire where both sides speak it, else HTTP. */
  readonly transport?: Transport
  /** How calls that fail are made again. Default: once more, after at most 25 ms. */
  readonly retry?: RetryPolicy | undefined
  /** By the name of the service: what it is given instead of the resources that it would open. */
  readonly resources?: ReadonlyMap<string, unknown>
  /** Told what the start is doing, for people. */
  readonly onProgress?: (step: string) => void
  /** Gives up the start where it waits for others. Once the host has started it does nothing: use `stop`. */
  readonly signal?: AbortSignal
}

export interface Host {
  /** Where the gateway listens. */
  readonly gatewayUrl: string | undefined
  /** Where services listen that have a port. */
  readonly serviceUrls: ReadonlyMap<string, string>
  /** Where the admin API listens, when it has a port. */
  readonly adminUrl: string | undefined
  readonly instances: ReadonlyMap<string, ServiceInstance>
  /** Has the gateway serve a connection that another process has accepted. Undefined when this host runs none. */
  readonly serveGateway: HttpServer['serve'] | undefined
  /** A typed client of any service of the system, as a service would have it. */
  clientFor<C extends Contract>(contract: C): Client<C>
  /** Stops in order. A second call returns the same promise. */
  stop(): Promise<void>
}

/** Starts a host; when something fails on the way, what had been started is stopped again. */
export async function startHost(options: HostOptions): Promise<Host> {
  const host = new RunningHost(options)
  try {
    await host.start()
  } catch (error) {
    await host.stop()
    throw error
  }
  return host
}

const CALL_EVENTS: Readonly<Record<CallEvent['kind'], string>> = {
  retried: 'A call is made again',
  hedged: 'A second instance is asked, because the first takes long',
  degraded: 'A call gave no answer, and is answered in another way',
}

/** As telemetry names whoever calls through a host's own clients. */
const OUTSIDE = 'host'
/** How long the relays may take to hand over what is on its way when stopping. */
const RELAY_GRACE_MS = 2_000
/** How long closing may take after that; a handler that never ends ends with the process. */
const CLOSE_MS = 5_000

class RunningHost implements Host {
  readonly instances = new Map<string, ServiceInstance>()
  readonly serviceUrls = new Map<string, string>()
  gatewayUrl: string | undefined
  adminUrl: string | undefined
  serveGateway: HttpServer['serve'] | undefined
  readonly #options: HostOptions
  readonly #clock: Clock
  readonly #random: Random
  readonly #newId: NewId
  readonly #transport: Transport
  readonly #dependencies: Dependencies
  readonly #telemetry: HostTelemetry
  readonly #servers: HttpServer[] = []
  readonly #faults: InjectedFaults | undefined
  #resources: ServiceResources | undefined
  #databases: Databases | undefined
  #broker: Broker | undefined
  #registry: Registry | undefined
  #announcement: Announcement | undefined
  #endObserving: (() => void) | undefined
  #ready = false
  #stopping: Promise<void> | undefined

  constructor(options: HostOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#random = options.random ?? systemRandom
    this.#newId = idSource(this.#clock, this.#random)
    this.#transport = options.transport ?? networkTransport({ fastWire: options.configuration.fastWire ? 'offered' : 'off' })
    const { peers, zone } = options.configuration
    this.#dependencies = new Dependencies({
      transport: this.#transport,
      clock: this.#clock,
      random: this.#random,
      zone,
      peers,
      registry: () => this.#registry,
      localLink: (service) => this.#localLink(service),
      log: options.log,
    })
    this.#telemetry = options.telemetry ?? silentTelemetry(this.#random)
    options.recent?.watch(this.#telemetry.metrics)
    this.#faults = options.configuration.allowsFaults
      ? new InjectedFaults({ clock: this.#clock, newId: this.#newId, log: options.log, kill: options.kill ?? killProcess })
      : undefined
  }

  async start(): Promise<void> {
    const { selection, configuration, engines, log, onProgress, signal } = this.#options
    this.#resources = openResources({
      services: selection.services,
      configurations: configuration.serviceConfigurations,
      given: this.#options.resources ?? new Map(),
      log,
    })
    this.#databases = await openDatabases({ configuration, factory: engines.database, clock: this.#clock, onProgress, signal })
    for (const service of selection.services) {
      const { name } = service.contract
      const database = this.#databases.of(name)
      if (database === undefined) continue
      const applied = await migrate({ service: name, database: database.database, folder: service.migrations, clock: this.#clock })
      if (applied.length > 0) onProgress?.(`migrated ${name}: ${applied.join(', ')}`)
    }
    await this.#openBroker()
    if (configuration.registryUrl !== undefined) this.#registry = await openLogged(await engines.registry!(configuration.registryUrl), log)
    for (const service of selection.services) await this.#createService(service)
    await this.#listen()
    await this.#dependencies.known()
    // Last, because their handlers may call every service of this host.
    for (const instance of this.instances.values()) instance.begin()
    if (this.#options.telemetry !== undefined) this.#endObserving = observeHost(this.#telemetry.metrics, this.instances, this.#clock)
    this.#ready = true
    this.#announcement = await this.#announce()
  }

  clientFor<C extends Contract>(contract: C): Client<C> {
    return this.#clientOf(contract, OUTSIDE, userAgentOf())
  }

  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop())
  }

  async #openBroker(): Promise<void> {
    const { system, configuration, engines, log } = this.#options
    const engine =
      configuration.brokerUrl === undefined ? embeddedBroker({ clock: this.#clock }) : await engines.broker(configuration.brokerUrl)
    this.#broker = await engine.open({
      consumers: consumersOf(system),
      onStatus: (status) => {
        if (this.#stopping !== undefined) return
        if (!status.up)
          return log.warn('The broker cannot be reached; events wait in the outbox', { broker: engine.description, reason: status.reason })
        log.debug('The broker is connected', { broker: engine.description })
        for (const { relay } of this.instances.values()) relay?.retryNow()
      },
    })
  }

  async #createService(service: Selection['services'][number]): Promise<void> {
    const { name } = service.contract
    const opened = this.#databases?.of(name)
    this.instances.set(
      name,
      await createServiceInstance({
        service,
        database: opened?.database,
        exclusive: opened?.exclusive ?? false,
        broker: this.#broker!,
        clientFor: (contract, using) => this.#clientOf(contract, name, userAgentOf(service.contract), using),
        config: this.#options.configuration.serviceConfigurations.get(name),
        resources: await this.#resources!.of(name),
        hasConsumers: consumersOf(this.#options.system).some(({ topics }) => topics.includes(name)),
        clock: this.#clock,
        random: this.#random,
        newId: this.#newId,
        log: this.#options.log,
        telemetry: this.#telemetry.of(name),
        faults: this.#faults,
      }),
    )
  }

  #clientOf<C extends Contract>(contract: C, caller: string, userAgent: string, using?: Using): Client<C> {
    return createClient(contract, {
      using,
      dependency: this.#dependencies.on(contract.name),
      clock: this.#clock,
      random: this.#random,
      retry: this.#options.retry,
      telemetry: this.#telemetry.of(caller),
      userAgent,
      onEvent: this.#onCallEvent,
    })
  }

  /** What tracing and metrics can be made of. */
  readonly #onCallEvent = (event: CallEvent): void => {
    const { kind, trace, ...fields } = event
    this.#options.log.debug(CALL_EVENTS[kind], { ...fields, traceId: trace.traceId, spanId: trace.spanId })
  }

  #localLink(name: string): Link | undefined {
    const { configuration, selection } = this.#options
    if (!selection.services.some((service) => service.contract.name === name)) return undefined
    return configuration.forceWire !== undefined
      ? this.#loopbackLink(name, configuration.forceWire)
      : inProcessLink(() => this.instances.get(name)!.hosted)
  }

  /** Services are made before they listen, so the address is looked up at the first call. */
  #loopbackLink(name: string, way: 'http' | 'fast'): Link {
    const transport = this.#options.transport ?? networkTransport({ fastWire: way === 'fast' ? 'only' : 'off' })
    let link: Link | undefined
    return {
      send: (request) => (link ??= transport.link({ baseUrl: this.serviceUrls.get(name)!, clock: this.#clock })).send(request),
      close: async () => link?.close(),
    }
  }

  async #listen(): Promise<void> {
    const { system, selection, configuration, log } = this.#options
    const health = healthRoutes(this.#health())
    for (const { name, hosted } of this.instances.values()) {
      const port = configuration.servicePorts.get(name) ?? (configuration.forceWire === undefined ? undefined : 0)
      if (port === undefined) continue
      const routes = [...serviceRoutes(hosted, this.#clock), ...health]
      const server = await this.#transport.listen({
        host: configuration.host,
        port,
        routes,
        admission: new Admission(this.#clock),
        forPeers: true,
        clock: this.#clock,
        log: log.with({ service: name }),
      })
      this.#servers.push(server)
      this.serviceUrls.set(name, server.url)
    }
    await this.#listenForAdmin(health)
    if (!selection.gateway || system.gateway === undefined || configuration.gatewayPort === undefined) return
    const routes = gatewayRoutes({
      title: system.name,
      contracts: system.services.map((service) => service.contract),
      dependencyOn: ({ name }) => this.#dependencies.on(name),
      clock: this.#clock,
      random: this.#random,
      retry: this.#options.retry,
      using: system.gateway.using,
      onEvent: this.#onCallEvent,
      log: log.with({ service: GATEWAY }),
      telemetry: this.#telemetry.of(GATEWAY),
    })
    const server = await this.#transport.listen({
      host: configuration.host,
      port: configuration.gatewayPort,
      routes: [...routes, ...health],
      maxBodyBytes: system.gateway.maxBodyBytes,
      admission: new Admission(this.#clock),
      clock: this.#clock,
      log: log.with({ service: GATEWAY }),
    })
    this.#servers.push(server)
    this.gatewayUrl = server.url
    this.serveGateway = server.serve
  }

  #announce(): Promise<Announcement | undefined> {
    const { configuration, selection } = this.#options
    return announce({
      ...configuration,
      registry: this.#registry,
      serviceUrls: this.serviceUrls,
      versions: new Map(selection.services.map(({ contract }) => [contract.name, contract.version])),
      newId: this.#newId,
      clock: this.#clock,
    })
  }

  async #listenForAdmin(health: ReturnType<typeof healthRoutes>): Promise<void> {
    const { system, configuration, recent } = this.#options
    if (configuration.adminPort === undefined) return
    const log = this.#options.log.with({ service: 'skerry-admin' })
    const consumed = new Map(consumersOf(system).map(({ name, topics }) => [name, topics]))
    const targets = [...this.instances.values()].flatMap((instance) =>
      instance.database === undefined
        ? []
        : [
            {
              service: instance.name,
              contract: instance.hosted.contract,
              database: instance.database,
              topics: consumed.get(instance.name) ?? [],
              sagas: sagaVersionsOf(system, instance.name),
              wake: () => {
                instance.consumer?.wake()
                instance.hosted.sagas?.worker.wake()
              },
            },
          ],
    )
    const hosted = hostAdmin({
      targets,
      withoutDatabase: [...this.instances.values()]
        .filter(({ database }) => database === undefined)
        .map(({ hosted: { contract } }) => contract),
      telemetry: recent && { read: recent.read, declared: declaredSystem(system) },
      faults: { faults: this.#faults, services: [...this.instances.values()].map((instance) => instance.hosted) },
      clock: this.#clock,
      random: this.#random,
      newId: this.#newId,
      log,
    })
    const live = recent === undefined ? [] : liveRoutes(recent.read, this.#clock)
    const routes = [...adminRoutes(system, serviceRoutes(hosted, this.#clock)), metricsRoute(this.#telemetry.metrics), ...live, ...health]
    const server = await this.#transport.listen({
      host: configuration.adminHost,
      port: configuration.adminPort,
      routes,
      clock: this.#clock,
      log,
    })
    this.#servers.push(server)
    this.adminUrl = server.url
    if (this.#faults !== undefined)
      log.info('Faults may be injected through the admin API; SKERRY_FAULTS=off forbids it', { url: server.url })
  }

  #health(): Health {
    const parts = { instances: this.instances.values(), broker: this.#broker, registry: this.#registry }
    return { ready: () => this.#ready, checks: hostChecks(parts) }
  }

  async #stop(): Promise<void> {
    const { configuration } = this.#options
    const instances = [...this.instances.values()]
    const wasReady = this.#ready
    this.#ready = false
    this.#endObserving?.()
    for (const server of this.#servers) server.drain()
    // Before anything stops to answer: whoever still calls is answered, and told to go elsewhere.
    await this.#announcement?.withdraw()
    if (wasReady) await untilDrained({ ...configuration, servers: this.#servers, clock: this.#clock })
    const grace = new AbortController()
    const timer = this.#clock.setTimer(configuration.graceMs, () => grace.abort())
    const taking = Promise.all(
      instances.map(({ consumer, workers }) => Promise.all([consumer?.close(), ...workers.map((worker) => worker.stop())])),
    )
    await Promise.all(this.#servers.map((server) => server.close(grace.signal)))
    await Promise.race([taking, aborted(grace.signal)])
    timer.cancel()
    for (const { relay } of instances) relay?.stop()
    const drained = Promise.all(instances.map(async ({ relay }) => relay?.drained()))
    await Promise.race([drained, sleep(this.#clock, RELAY_GRACE_MS)])
    await this.#inTime('The broker', this.#broker?.close())
    await this.#inTime('The relays', drained)
    await this.#inTime('The connections to other services', this.#dependencies.close())
    await this.#inTime('The registry', this.#registry?.close())
    await this.#inTime('What the services keep', this.#resources?.close())
    await Promise.all(instances.map((instance) => this.#inTime(`The service "${instance.name}"`, instance.close())))
    await this.#inTime('The databases', this.#databases?.close())
    await this.#inTime('Telemetry', this.#telemetry.close())
  }

  /** Waits until something has been closed, but not for ever, and whatever comes of it. */
  async #inTime(what: string, closing: Promise<unknown> | undefined): Promise<void> {
    if (closing === undefined) return
    const closed = new AbortController()
    const late = sleep(this.#clock, CLOSE_MS, closed.signal).then(() => {
      if (!closed.signal.aborted) this.#options.log.warn(`${what} could not be closed within ${CLOSE_MS} ms and is left as it is`)
    })
    const done = closing.catch((error: unknown) => this.#options.log.warn(`${what} could not be closed cleanly`, { cause: error }))
    await Promise.race([done, late])
    closed.abort()
  }
}

function killProcess(): void {
  process.kill(process.pid, 'SIGKILL')
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
