/** Since when a consumer has its subscriptions: what was published earlier on a topic never reaches it. */
import type { Queryable } from '../engine/database.ts'

/** Records since when a consumer holds what is published on its topics, once, and returns it. */
export async function subscribedSince(on: Queryable, consumer: string, topic: string, now: Date): Promise<Date> {
  await on.query(`insert into skerry_subscription (consumer, topic, since) values ($1, $2, $3) on conflict do nothing`, [
    consumer,
    topic,
    now,
  ])
  return (await readSubscription(on, consumer, topic))!
}

/** Records since when a consumer handles events of a type that it subscribes to from now on, once, and returns it. */
export async function startedAt(on: Queryable, consumer: string, type: string, now: Date): Promise<Date> {
  const key = [consumer, type]
  await on.query(`insert into skerry_event_start (consumer, type, since) values ($1, $2, $3) on conflict do nothing`, [...key, now])
  const { rows } = await on.query<{ since: Date }>(`select since from skerry_event_start where consumer = $1 and type = $2`, key)
  return rows[0]!.since
}

/** Forgets the subscriptions to other topics: what is published there does not reach the consumer any more. Returns their topics. */
export async function endSubscriptions(on: Queryable, consumer: string, except: readonly string[]): Promise<readonly string[]> {
  const { rows } = await on.query<{ topic: string }>(
    `delete from skerry_subscription where consumer = $1 and topic <> all($2::text[]) returning topic`,
    [consumer, except],
  )
  return rows.map(({ topic }) => topic)
}

/** Since when a consumer holds what is published on a topic; undefined while that has not been recorded. */
export async function readSubscription(on: Queryable, consumer: string, topic: string): Promise<Date | undefined> {
  const { rows } = await on.query<{ since: Date }>(`select since from skerry_subscription where consumer = $1 and topic = $2`, [
    consumer,
    topic,
  ])
  return rows[0]?.since
}
