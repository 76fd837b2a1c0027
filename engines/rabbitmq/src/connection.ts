/**
 * One connection to RabbitMQ that is kept: connects, says when it is up and when it is down and why, and connects again
 * after a growing, jittered pause until it is closed. Channels are its users' business; they die with it.
 */
import type { ChannelModel } from 'amqplib'
import { connect } from 'amqplib'
import { sleep } from 'skerry/engine'
import { explain } from './explain.ts'
import type { Settings } from './settings.ts'
import { within } from './within.ts'

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

  async #run(): Promise<void> {
    const { addresses, clock, random, maxReconnectDelayMs } = this.#settings
    for (let attempt = 0, failures = 0; !this.#closing.signal.aborted; attempt++) {
      const startedMs = clock.nowMs()
      const reason = await this.#session(addresses[attempt % addresses.length]!)
      this.#current = undefined
      if (this.#closing.signal.aborted) break
      this.#events.onDown(reason)
      // One that lasted starts over with short pauses; one that broke at once does not.
      failures = clock.nowMs() - startedMs > maxReconnectDelayMs ? 1 : failures + 1
      const delayMs = Math.min(maxReconnectDelayMs, (maxReconnectDelayMs / 100) * 2 ** Math.min(failures, 10))
      await sleep(clock, delayMs * (0.5 + random.next() / 2), this.#closing.signal)
    }
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
