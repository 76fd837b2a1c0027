/**
 * One connection to NATS that is kept: connects, says when it is up and when it is down and why, and connects again until it is
 * closed. The client's own reconnecting is off: it would send again what was on its way, unasked, and say nothing.
 */
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { connect } from '@nats-io/transport-node'
import { keepConnected, within } from 'skerry/engine'
import { explain } from './explain.ts'
import type { Settings } from './settings.ts'

/** One connection, from its making to its loss. */
export interface Session {
  readonly nc: NatsConnection
  readonly js: JetStreamClient
  readonly jsm: JetStreamManager
}

export interface ConnectionEvents {
  /** Prepares the new connection. It counts as up when this resolves, and as failed when this rejects. */
  readonly onUp: (session: Session) => Promise<void>
  /** Told after each loss and each failed attempt. */
  readonly onDown: (reason: string) => void
}

const CONNECT_TIMEOUT_MS = 10_000
/** How long NATS may take to answer a question about streams and consumers. */
const ADMIN_TIMEOUT_MS = 10_000
/** How long a polite goodbye may take before the socket is left to itself. */
const CLOSE_TIMEOUT_MS = 2_000

export class Connection {
  readonly #settings: Settings
  readonly #events: ConnectionEvents
  readonly #closing = new AbortController()
  readonly #closed = Promise.withResolvers<undefined>()
  #current: Session | undefined
  #running: Promise<void> | undefined

  constructor(settings: Settings, events: ConnectionEvents) {
    this.#settings = settings
    this.#events = events
  }

  /** The connection, while there is one. */
  get current(): Session | undefined {
    return this.#current
  }

  start(): void {
    const { addresses } = this.#settings
    this.#running ??= keepConnected({
      ...this.#settings,
      signal: this.#closing.signal,
      session: (attempt) => this.#session(addresses[attempt % addresses.length]!).finally(() => (this.#current = undefined)),
      onDown: this.#events.onDown,
    })
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#closed.resolve(undefined)
    await this.#running
  }

  async #session(address: Settings['addresses'][number]): Promise<string> {
    const { clock, description } = this.#settings
    let nc: NatsConnection | undefined
    try {
      nc = await this.#connect(address)
      if (nc === undefined) return 'closed'
      const lost = this.#loss(nc)
      const ready = this.#prepare(nc)
      // Whichever comes second is of no interest.
      ready.catch(() => undefined)
      lost.catch(() => undefined)
      await Promise.race([ready, lost])
      await Promise.race([lost, this.#closed.promise])
      return 'closed'
    } catch (error) {
      return `${description}: ${explain(error, address)}`
    } finally {
      this.#current = undefined
      if (nc !== undefined) await within(clock, CLOSE_TIMEOUT_MS, nc.close())
    }
  }

  /** Undefined when we were closed meanwhile: the client cannot be told to stop trying. */
  async #connect({
    hostname,
    port,
    secure,
    username,
    password,
    token,
  }: Settings['addresses'][number]): Promise<NatsConnection | undefined> {
    const { tls, heartbeatSeconds } = this.#settings
    const connecting = connect({
      servers: `${hostname}:${port}`,
      name: `skerry (process ${process.pid})`,
      ...(username === undefined || password === undefined ? {} : { user: username, pass: password }),
      ...(token === undefined ? {} : { token }),
      ...(secure ? { tls } : {}),
      reconnect: false,
      ignoreClusterUpdates: true,
      noAsyncTraces: true,
      timeout: CONNECT_TIMEOUT_MS,
      pingInterval: heartbeatSeconds * 1_000,
      maxPingOut: 2,
    })
    const connection = await Promise.race([connecting, this.#closed.promise])
    if (connection === undefined)
      connecting.then(
        (late) => late.close(),
        () => undefined,
      )
    return connection
  }

  async #prepare(nc: NatsConnection): Promise<void> {
    const jsm = await jetstreamManager(nc, { timeout: ADMIN_TIMEOUT_MS })
    this.#current = { nc, jsm, js: jetstream(nc) }
    await this.#events.onUp(this.#current)
  }

  /** Rejects when the connection is gone, with the best reason there is. */
  async #loss(nc: NatsConnection): Promise<never> {
    let stale = false
    const watching = (async () => {
      for await (const { type } of nc.status()) stale ||= type === 'staleConnection'
    })()
    const error = await nc.closed()
    await watching.catch(() => undefined)
    if (error instanceof Error) throw error
    throw new Error(stale ? `the connection was silent for ${2 * this.#settings.heartbeatSeconds} s` : 'the connection was closed')
  }
}
