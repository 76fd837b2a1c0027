/**
 * One connection to RabbitMQ that is kept: connects, says when it is up and when it is down and why, and connects again
 * after a growing, jittered pause until it is closed. Channels are its users' business; they die with it.
 */
import type { ChannelModel } from 'amqplib'
import { connect } from 'amqplib'
import { keepConnected, within } from 'skerry/engine'
import { explain } from './explain.ts'
import type { Settings } from './settings.ts'

export interface ConnectionEvents {
  /** Shown in RabbitMQ's list of connections. */
  readonly name: string
  /** Prepares the new connection. It counts as up when this resolves, and as failed when this rejects. */
  readonly onUp: (connection: ChannelModel) => Promise<void>
  /** Told after each loss and each failed attempt. */
  readonly onDown: (reason: string) => void
}

const CONNECT_TIMEOUT_MS = 10_000
/** How long a polite goodbye may take before the socket is cut. */
const CLOSE_TIMEOUT_MS = 2_000

export class Connection {
  readonly #settings: Settings
  readonly #events: ConnectionEvents
  readonly #closing = new AbortController()
  #current: ChannelModel | undefined
  #running: Promise<void> | undefined
  #release: (() => void) | undefined

  constructor(settings: Settings, events: ConnectionEvents) {
    this.#settings = settings
    this.#events = events
  }

  /** The connection, while there is one. */
  get current(): ChannelModel | undefined {
    return this.#current
  }

  start(): void {
    this.#running ??= this.#run()
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#release?.()
    await this.#running
  }

  #run(): Promise<void> {
    const { addresses } = this.#settings
    return keepConnected({
      ...this.#settings,
      signal: this.#closing.signal,
      session: (attempt) => this.#session(addresses[attempt % addresses.length]!).finally(() => (this.#current = undefined)),
      onDown: this.#events.onDown,
    })
  }

  /** From one attempt to connect to the end of what came of it. Resolves with the reason of the end. */
  async #session(address: Settings['addresses'][number]): Promise<string> {
    const { description, tls, heartbeatSeconds } = this.#settings
    const socket = new AbortController()
    const socketOptions = {
      ...tls,
      noDelay: true,
      timeout: CONNECT_TIMEOUT_MS,
      clientProperties: { connection_name: `skerry ${this.#events.name} (process ${process.pid})` },
      // Not in the client's types; Node's own connect takes it, and it is the only way to a socket that does not answer.
      signal: socket.signal,
    }
    const end = Promise.withResolvers<void>()
    // Both may end it before anyone waits.
    end.promise.catch(() => undefined)
    let connection: ChannelModel | undefined
    this.#release = () => socket.abort()
    try {
      connection = await connect({ ...address, heartbeat: heartbeatSeconds }, socketOptions)
      this.#release = end.resolve
      // An error comes before its close, and listening for it keeps it from ending the process.
      connection.on('error', end.reject)
      connection.on('close', (error) => end.reject(error ?? new Error('the connection was closed')))
      await Promise.race([this.#events.onUp(connection), end.promise])
      this.#current = connection
      if (!this.#closing.signal.aborted) await end.promise
      return 'closed'
    } catch (error) {
      return `${description}: ${explain(error, address)}`
    } finally {
      await this.#end(connection)
      socket.abort()
    }
  }

  /** Says goodbye, so that what was sent before it, acknowledgements above all, is known to have arrived. */
  async #end(connection: ChannelModel | undefined): Promise<void> {
    if (connection === undefined) return
    await within(this.#settings.clock, CLOSE_TIMEOUT_MS, connection.close())
  }
}
