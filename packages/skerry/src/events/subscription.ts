/** What a service does with events, as the consumer sees it: handlers by event type, with the data still unchecked. */
import type { Event } from '../contract/event.ts'
import type { OpenTransaction } from './transaction-runner.ts'

/** Particulars of the event being handled. */
export interface EventMeta {
  /** The same at every attempt and every redelivery. */
  readonly id: string
  readonly type: string
  readonly source: string
  readonly key: string
  /** When it was emitted. */
  readonly time: Date
  /** Position among the events of this publisher and key, from 1; undefined from publishers that do not number them. */
  readonly sequence: number | undefined
  /** 1 at the first attempt. */
  readonly attempt: number
}

/**
 * Where a new subscription begins. `first`: with the first event that outbox and broker still hold for it. `now`: with what is emitted
 * after the service has first started with it.
 */
export type SubscriptionStart = 'first' | 'now'

interface Handling {
  readonly event: Event
  /** Default: `first`. */
  readonly from?: SubscriptionStart | undefined
  /** Runs inside the transaction that then records the event as handled, also for what `from` leaves out. */
  readonly recorded?: ((data: unknown, meta: EventMeta, open: OpenTransaction) => Promise<void>) | undefined
}

export type EventHandler =
  /** Runs inside the transaction that also records the event as handled: its writes happen once. */
  | (Handling & {
      readonly kind: 'transactional'
      /**
       * What comes before the transaction, with the data unchecked. Undefined when nothing does: then the event may share a transaction with others.
       * It may take as long as it likes, where the transaction would keep what others need.
       */
      before?(): ((data: unknown) => Promise<void>) | undefined
      run(data: unknown, meta: EventMeta, open: OpenTransaction): Promise<void>
    })
  /** Runs outside: may call services and the world; happens at least once. */
  | (Handling & { readonly kind: 'effect'; run(data: unknown, meta: EventMeta): Promise<void> })
