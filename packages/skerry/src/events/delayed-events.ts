/**
 * Events that are to be published later. They wait in a table of the service, written by the transaction that emitted them, and get their
 * place in the order of their key when they are due: those emitted meanwhile do not wait for them.
 */
import type { Transaction } from '../engine/database.ts'
import type { PendingEvent } from './outbox.ts'

export interface DelayedEvent extends PendingEvent {
  readonly dueAt: Date
}

export async function storeDelayed(on: Transaction, events: readonly DelayedEvent[]): Promise<void> {
  for (const { id, event, key, data, traceparent, dueAt } of events)
    await on.query(
      `insert into skerry_delayed_event (id, type, key, payload, traceparent, due_at) values ($1, $2, $3, $4::jsonb, $5, $6)`,
      [id, event.type, key, JSON.stringify(data), traceparent, dueAt],
    )
}

export interface DueEvent {
  readonly id: string
  readonly type: string
  readonly key: string
  readonly payload: unknown
  readonly traceparent: string
  readonly due_at: Date
}

/**
 * Takes up to `limit` events of these types that are due out of the table, for the transaction that puts them into the outbox. Several hosts
 * may do so side by side.
 */
export async function takeDue(on: Transaction, types: readonly string[], now: Date, limit: number): Promise<readonly DueEvent[]> {
  const { rows } = await on.query<DueEvent>(
    `delete from skerry_delayed_event where id in (
       select id from skerry_delayed_event where due_at <= $1 and type = any($3::text[]) order by due_at, id limit $2 for update skip locked
     ) returning id, type, key, payload, traceparent, due_at`,
    [now, limit, types],
  )
  return rows.toSorted((a, b) => a.due_at.getTime() - b.due_at.getTime() || (a.id < b.id ? -1 : 1))
}
