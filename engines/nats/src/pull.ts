/**
 * Deliveries of one durable, on one connection. NATS sends as many as it was asked for and no more; one request is open at a time. The
 * client's own `fetch` is not used: it stops listening before NATS has stopped sending, and what arrives in between is then lost to
 * everybody until its ack wait is over.
 */
import { createInbox, nanos } from '@nats-io/transport-node'
import type { Msg, Subscription } from '@nats-io/transport-node'
import type { Clock, Timer } from 'skerry/engine'
import type { Session } from './connection.ts'

export interface PullEvents {
  readonly onMessage: (message: Msg) => void
  /** The request is over and nothing is wrong: it may be asked for more. */
  readonly onRoom: () => void
  /** Nothing will come any more, until the durable is declared again. */
  readonly onEnd: (problem: string) => void
}

const EXPIRES_MS = 20_000
/** How much later than that NATS may say so. After that the request was lost, or its durable is: it answers nothing then. */
const SLACK_MS = 5_000
const REQUEST_TIMEOUT = 408
const NO_MESSAGES = 404

export class Pull {
  readonly durable: string
  readonly #session: Session
  readonly #subject: string
  readonly #events: PullEvents
  readonly #clock: Clock
  readonly #inbox = createInbox()
  readonly #subscription: Subscription
  #request = 0
  #expected = 0
  #watchdog: Timer | undefined

  constructor(session: Session, stream: string, durable: string, clock: Clock, events: PullEvents) {
    this.durable = durable
    this.#session = session
    this.#subject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`
    this.#events = events
    this.#clock = clock
    this.#subscription = session.nc.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.#received(message)
        else this.#end(error.message)
      },
    })
  }

  /** Asks for up to `count` messages, unless a request is open. */
  ask(count: number): void {
    if (this.#expected > 0 || this.#subscription.isClosed() || this.#subscription.isDraining()) return
    this.#expected = count
    this.#watchdog?.cancel()
    this.#watchdog = this.#clock.setTimer(EXPIRES_MS + SLACK_MS, () =>
      this.#end(`its durable has not answered for ${EXPIRES_MS + SLACK_MS} ms: it was deleted, or has no leader`),
    )
    const request = JSON.stringify({ batch: count, expires: nanos(EXPIRES_MS) })
    this.#session.nc.publish(this.#subject, request, { reply: `${this.#inbox}.${++this.#request}` })
  }

  /** Resolves when NATS has heard that nothing more is wanted, and what it had sent by then has arrived. */
  async close(): Promise<void> {
    this.#watchdog?.cancel()
    if (!this.#session.nc.isClosed() && !this.#subscription.isClosed()) await this.#subscription.drain()
  }

  #received(message: Msg): void {
    if (!message.subject.startsWith(this.#inbox)) {
      if (this.#expected > 0) this.#expected--
      this.#events.onMessage(message)
      if (this.#expected === 0) this.#events.onRoom()
      return
    }
    // Of a request that was given up.
    if (message.subject !== `${this.#inbox}.${this.#request}`) return
    const code = message.headers?.code
    if (code !== REQUEST_TIMEOUT && code !== NO_MESSAGES) return this.#end(message.headers?.description ?? 'an answer without a status')
    this.#expected = 0
    this.#events.onRoom()
  }

  #end(problem: string): void {
    this.#watchdog?.cancel()
    this.#subscription.unsubscribe()
    this.#events.onEnd(problem)
  }
}
