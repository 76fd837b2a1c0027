/**
 * What the cases of `brokerFaultConformance` do to a broker, its network and its consumers. A test that runs them provides the means,
 * because only it knows how this broker is killed, cut off or filled. What cannot happen to a broker is left out, with the
 * reason.
 */
import type { BrokerEngine } from '../../engine/broker.ts'
import type { DatabaseEngine } from '../../engine/database.ts'

/** What a fault needs. */
export type FaultMeans = 'outage' | 'network' | 'capacity' | 'processes'

export interface BrokerUnderFault {
  /** Straight to the broker. Its pauses should be short. */
  readonly engine: BrokerEngine
  /** For consumers with an inbox. */
  readonly databases: DatabaseEngine
  readonly outage?: Outage
  readonly network?: Network
  readonly capacity?: Capacity
  readonly processes?: Processes
}

/** The broker itself comes and goes. What it holds stays on its disk. */
export interface Outage {
  /** kill -9. */
  readonly kill: () => Promise<void>
  /** As its operator does it. */
  readonly stop: () => Promise<void>
  /** Resolves when it can be connected to. */
  readonly start: () => Promise<void>
  /** For a broker that is known to forget new queues when it is killed: makes sure that it will not. */
  settle?(): Promise<void>
}

/** A network between the engine and the broker, which is the test's. */
export interface Network {
  /** The engine, connected through it. */
  readonly engine: (options?: { readonly confirmTimeoutMs?: number }) => BrokerEngine
  readonly link: Link
}

/**
 * What becomes of bytes on their way. `cut before`: they do not arrive, and both sides lose the connection. `cut within`: half of them
 * do. `cut after`: all of them do, and both sides lose the connection instead of the answer.
 */
export type ClientBytes = 'forward' | 'cut before' | 'cut within' | 'cut after'

export interface Link {
  onClientBytes: (bytes: Buffer) => ClientBytes
  onServerBytes: (bytes: Buffer) => 'forward' | 'cut within'
  /** While true nothing gets through, in either direction, and nobody is told. */
  blackHole: boolean
  /** Connections open at this moment. */
  readonly open: number
  /** Connections made since the start. */
  readonly accepted: number
  /** Resets every open connection. */
  cut(): void
}

/** A broker that can be made to be full. */
export interface Capacity {
  readonly engine: BrokerEngine
  /** From now on no more than a few dozen messages may wait for this consumer, which has been declared and has not subscribed yet. */
  readonly limit: (consumer: string) => Promise<void>
}

/** Instances of a consumer in processes of their own, on the same broker and databases. */
export interface Processes {
  /** Runs `Ledger.consume` with these options until it dies. */
  start(options: InstanceOptions): Promise<Instance>
}

export interface InstanceOptions {
  /** The consumer. */
  readonly service: string
  /** The contract whose events it consumes. */
  readonly topic: string
  /** Tells instances apart. */
  readonly by: string
  /** Where each event is held until `Ledger.letGo`: before the transaction that handles it, or within, before it commits. */
  readonly hold: 'before' | 'within'
}

export interface Instance {
  /** kill -9. Resolves when it is gone. */
  kill(): Promise<void>
  /** SIGSTOP: it keeps its connections and answers nothing. */
  pause(): void
  /** SIGCONT. */
  resume(): void
}
