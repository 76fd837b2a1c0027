/** How far a consumer has handled each key. Every statement is for one service's own database. */
import type { Queryable } from '../engine/database.ts'
import type { Cursor } from './inbox.ts'
import type { StoredMessage } from './stored-message.ts'

/** Moves the key's cursor to `sequence` if the one before it was handled last. False: it was not, or this one already was. */
export async function advance(on: Queryable, consumer: string, source: string, key: string, sequence: number): Promise<boolean> {
  const { rows } =
    sequence === 1
      ? await on.query(
          `insert into skerry_key_cursor (consumer, source, key, seq) values ($1, $2, $3, 1) on conflict do nothing returning 1 as moved`,
          [consumer, source, key],
        )
      : await on.query(
          `update skerry_key_cursor set seq = $4 where consumer = $1 and source = $2 and key = $3 and seq = $4 - 1 returning 1 as moved`,
          [consumer, source, key, sequence],
        )
  return rows.length > 0
}

/** Consecutive messages of one key, by the numbers of the first and the last. */
export interface Reach {
  readonly source: string
  readonly key: string
  readonly first: number
  readonly last: number
}

/**
 * Like `advance`, for several keys. Returns those that were moved, as `source`, a line feed and the key. The look at each key's cursor is a
 * subquery of its own because PostgreSQL would else read the whole table where that seems small, the versions of each update with it.
 */
export async function advanceAll(on: Queryable, consumer: string, reaches: readonly Reach[]): Promise<ReadonlySet<string>> {
  const { rows } = await on.query<{ moved: string }>(
    `insert into skerry_key_cursor as cursor (consumer, source, key, seq, began)
     select $1, source, key, last, first from unnest($2::text[], $3::text[], $4::int8[], $5::int8[]) as reach (source, key, first, last)
     where first = 1 or first - 1 =
       (select seq from skerry_key_cursor as known where known.consumer = $1 and known.source = reach.source and known.key = reach.key)
     order by source, key
     on conflict (consumer, source, key) do update set seq = excluded.seq where cursor.seq = excluded.began - 1
     returning source || chr(10) || key as moved`,
    [
      consumer,
      reaches.map(({ source }) => source),
      reaches.map(({ key }) => key),
      reaches.map(({ first }) => first),
      reaches.map(({ last }) => last),
    ],
  )
  return new Set(rows.map(({ moved }) => moved))
}

/** Starts a key in the middle, or once more behind what was missed. False when another instance was faster. */
export async function begin(
  on: Queryable,
  { consumer, envelope: { source, key, sequence } }: StoredMessage,
  cursor: Cursor | undefined,
): Promise<boolean> {
  const { rows } = await on.query(
    `insert into skerry_key_cursor as cursor (consumer, source, key, seq, began) values ($1, $2, $3, $4, $4)
     on conflict (consumer, source, key) do update set seq = excluded.seq, began = excluded.began where cursor.seq = $5 returning 1 as moved`,
    [consumer, source, key, sequence, cursor?.sequence ?? null],
  )
  return rows.length > 0
}

export async function readCursor(on: Queryable, consumer: string, source: string, key: string): Promise<Cursor | undefined> {
  const { rows } = await on.query<Cursor>(
    `select seq as sequence, began from skerry_key_cursor where consumer = $1 and source = $2 and key = $3`,
    [consumer, source, key],
  )
  return rows[0]
}
