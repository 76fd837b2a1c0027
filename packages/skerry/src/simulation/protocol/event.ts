/** An event of the model: its row in an outbox, its message, and what its handler will make of it. */
import type { OutboxRow } from '../../events/relay.ts'

export interface ModelEvent extends OutboxRow {
  /** Of all events of a run, in the order in which they were committed. */
  readonly number: number
  /** What it is called by whoever wanted it, whenever that was. */
  readonly label: string
  readonly service: number
  /** Of its key among the scenario's. */
  readonly keyIndex: number
  readonly sequence: number
  readonly createdAtMs: number
  readonly previousAtMs: number | undefined
  readonly poison: Poison | undefined
  /** The consumers whose queue has taken it, by their number, as bits. */
  routed: number
  /** By consumer: how often somebody has begun to handle it. */
  readonly tries: number[]
}

export interface Poison {
  readonly kind: 'transient' | 'permanent' | 'killer'
  /** Handling it fails so often; Infinity: always. */
  readonly times: number
  /** Whose handler cannot handle it. */
  readonly consumer: number
  /** How often it has. */
  struck: number
}

/** An event that somebody is about to emit. */
export type NewEvent = Pick<ModelEvent, 'keyIndex' | 'label'>
