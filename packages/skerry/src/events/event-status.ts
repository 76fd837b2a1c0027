/**
 * How far a service is behind with its events: what waits in its outbox, what waits in its inbox, what is dead. Cheap however much
 * there is: counts end at a limit, and everything else is read from the end of an index.
 */
import type { Queryable } from '../engine/database.ts'
import type { DeadLetter } from './inbox-store.ts'

/** Up to here things are counted; a count of one more means "more than that". */
export const MAX_COUNTED = 10_000
/** Publishers that one consumer can be told about: strangers may have called themselves what they like. */
const MAX_SOURCES = 1_000

export interface Waiting {
  readonly count: number
  /** When the oldest of them came; null when there is none. */
  readonly oldest: Date | null
}

export interface EventStatus {
  /** Committed here, not yet with the broker. `oldest` is when the oldest was emitted. */
  readonly outbox: Waiting
  /** By publisher: taken from the broker, not yet done. */
  readonly inbox: readonly {
    readonly source: string
    /** Waiting for the one before of its key. */
    readonly early: Waiting
    /** Waiting for the next attempt, or being tried. */
    readonly retry: Waiting
  }[]
  readonly deadLetters: readonly (Waiting & { readonly topic: string; readonly cause: DeadLetter['cause'] })[]
  /** Topics whose queue this service has, or had. */
  readonly subscriptions: readonly { readonly topic: string; readonly since: Date }[]
}

// The first group, then from each the next: as many looks into the index as there are groups, where GROUP BY would read every row.
const INBOX = `
with recursive found as (
  (select source, reason from skerry_delivery where consumer = $1 order by source, reason limit 1)
  union all
  select following.source, following.reason from found, lateral (
    select source, reason from skerry_delivery
    where consumer = $1 and (source, reason) > (found.source, found.reason) order by source, reason limit 1
  ) following
)
select source, reason,
  (select count(*) from (select from skerry_delivery d where d.consumer = $1 and d.source = found.source and d.reason = found.reason limit $2) bounded) as count,
  (select first_at from skerry_delivery d where d.consumer = $1 and d.source = found.source and d.reason = found.reason order by first_at limit 1) as oldest
from found limit $3`

const DEAD_LETTERS = `
with recursive found as (
  (select topic, cause from skerry_dead_letter where consumer = $1 order by topic, cause limit 1)
  union all
  select following.topic, following.cause from found, lateral (
    select topic, cause from skerry_dead_letter
    where consumer = $1 and (topic, cause) > (found.topic, found.cause) order by topic, cause limit 1
  ) following
)
select topic, cause,
  (select count(*) from (select from skerry_dead_letter d where d.consumer = $1 and d.topic = found.topic and d.cause = found.cause limit $2) bounded) as count,
  (select died_at from skerry_dead_letter d where d.consumer = $1 and d.topic = found.topic and d.cause = found.cause order by died_at limit 1) as oldest
from found limit $3`

const OUTBOX = `
select (select count(*) from (select from skerry_outbox limit $1) bounded) as count,
  (select created_at from skerry_outbox order by id limit 1) as oldest`

/** The statements and their parameters, for whoever wants to see how they are planned. */
export function statusStatements(service: string): readonly { readonly sql: string; readonly parameters: readonly unknown[] }[] {
  return [
    { sql: OUTBOX, parameters: [MAX_COUNTED + 1] },
    { sql: INBOX, parameters: [service, MAX_COUNTED + 1, 2 * MAX_SOURCES] },
    { sql: DEAD_LETTERS, parameters: [service, MAX_COUNTED + 1, MAX_SOURCES] },
  ]
}

export async function readEventStatus(on: Queryable, service: string): Promise<EventStatus> {
  const [ofOutbox, ofInbox, ofDeadLetters] = statusStatements(service)
  const outbox = await on.query<Waiting>(ofOutbox!.sql, ofOutbox!.parameters)
  const inbox = await on.query<Waiting & { source: string; reason: 'early' | 'retry' }>(ofInbox!.sql, ofInbox!.parameters)
  const deadLetters = await on.query<EventStatus['deadLetters'][number]>(ofDeadLetters!.sql, ofDeadLetters!.parameters)
  const subscriptions = await on.query<EventStatus['subscriptions'][number]>(
    `select topic, since from skerry_subscription where consumer = $1 order by topic`,
    [service],
  )
  const bySource = Map.groupBy(inbox.rows, ({ source }) => source)
  return {
    outbox: outbox.rows[0]!,
    inbox: [...bySource].map(([source, rows]) => {
      const waiting = (reason: string): Waiting => {
        const row = rows.find((one) => one.reason === reason)
        return { count: row?.count ?? 0, oldest: row?.oldest ?? null }
      }
      return { source, early: waiting('early'), retry: waiting('retry') }
    }),
    deadLetters: deadLetters.rows,
    subscriptions: subscriptions.rows,
  }
}
