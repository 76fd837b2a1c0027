/**
 * The connection to a cluster over which messages are published. It is kept: connects, says when it is up and when it is down and why, and connects again until it is
 * closed. The client has many sockets and mends them by itself, silently; so it is asked now and then whether it still reaches anyone.
 */
import type { Admin, Producer } from '@platformatic/kafka'
import { keepConnected, sleep } from 'skerry/engine'
import { endClient, openAdmin, openProducer } from './clients.ts'
import { explain } from './explain.ts'
import type { Settings } from './settings.ts'

/** One connection, from its making to its loss. */
export interface Session {
  readonly admin: Admin
  readonly producer: Producer
  /** It is of no use any more: another one is made. */
  readonly fail: (error: unknown) => void
}

export interface ConnectionEvents {
  /** Prepares the new connection. It counts as up when this resolves, and as failed when this rejects. */
  readonly onUp: (session: Session) => Promise<void>
  /** Told after each loss and each failed attempt. */
  readonly onDown: (reason: string) => void
}

export class Connection {
  readonly #settings: Settings
  readonly #events: ConnectionEvents
  readonly #closing = new AbortController()
  readonly #closed = Promise.withResolvers<void>()
  #running: Promise<void> | undefined

  constructor(settings: Settings, events: ConnectionEvents) {
    this.#settings = settings
    this.#events = events
  }

  start(): void {
    this.#running ??= keepConnected({
      ...this.#settings,
      signal: this.#closing.signal,
      session: () => this.#session(),
      onDown: this.#events.onDown,
    })
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#closed.resolve()
    await this.#running
  }

  async #session(): Promise<string> {
    const { addresses, description } = this.#settings
    const end = Promise.withResolvers<never>()
    end.promise.catch(() => undefined)
    const [admin, producer] = [openAdmin(this.#settings), openProducer(this.#settings)]
    for (const client of [admin, producer]) client.on('error', () => undefined)
    try {
      const working = this.#work({ admin, producer, fail: end.reject })
      working.catch(() => undefined)
      await Promise.race([working, end.promise, this.#closed.promise])
      return 'closed'
    } catch (error) {
      return `${description}: ${explain(error, addresses[0])}`
    } finally {
      await Promise.all([endClient(this.#settings, producer), endClient(this.#settings, admin)])
    }
  }

  /** Rejects when it ends. */
  async #work(session: Session): Promise<void> {
    const { clock, heartbeatSeconds } = this.#settings
    await this.#events.onUp(session)
    while (!this.#closing.signal.aborted) {
      await sleep(clock, heartbeatSeconds * 1_000, this.#closing.signal)
      if (!this.#closing.signal.aborted) await session.admin.metadata({ topics: [], forceUpdate: true })
    }
  }
}
