/** Reading dead letters and what was done with them, from the oldest on and page by page, however many there are. */
import type { Queryable } from '../engine/database.ts'
import type { DeadLetter } from './inbox-store.ts'

export interface DeadLetterRow {
  readonly id: string
  readonly consumer: string
  readonly message_id: string
  readonly topic: string
  readonly type: string
  readonly source: string
  readonly key: string
  /** Null from publishers that do not number their events. */
  readonly seq: number | null
  readonly envelope: string
  readonly cause: DeadLetter['cause']
  readonly error: string
  readonly stack: string | null
  readonly error_hash: string
  readonly attempts: number
  readonly trace_id: string | null
  readonly died_at: Date
}

export const LETTER_COLUMNS =
  'id, consumer, message_id, topic, type, source, key, seq, envelope, cause, error, stack, error_hash, attempts, trace_id, died_at'

/** What is left out does not matter. */
export interface DeadLetterFilter {
  readonly id?: string | undefined
  readonly cause?: string | undefined
  readonly errorHash?: string | undefined
  readonly type?: string | undefined
  readonly key?: string | undefined
  /** Leaves out what died later, such as what was replayed and is dead again. */
  readonly diedUntil?: Date | undefined
}

/** The place behind a letter. */
export interface DeadLetterPlace {
  readonly diedAt: Date
  readonly id: string
}

const MATCHES = `($1::uuid is null or id = $1) and ($2::text is null or cause = $2) and ($3::text is null or error_hash = $3)
  and ($4::text is null or type = $4) and ($5::text is null or key = $5) and ($6::timestamptz is null or died_at <= $6)`

function parametersOf({ id, cause, errorHash, type, key, diedUntil }: DeadLetterFilter): unknown[] {
  return [id ?? null, cause ?? null, errorHash ?? null, type ?? null, key ?? null, diedUntil ?? null]
}

/** Up to `limit` letters, the oldest first, behind `after`. */
export async function readDeadLetters(
  on: Queryable,
  filter: DeadLetterFilter,
  after: DeadLetterPlace | undefined,
  limit: number,
): Promise<readonly DeadLetterRow[]> {
  const { rows } = await on.query<DeadLetterRow>(
    `select ${LETTER_COLUMNS} from skerry_dead_letter where ${MATCHES} and ($7::timestamptz is null or (died_at, id) > ($7, $8::uuid))
     order by died_at, id limit $9`,
    [...parametersOf(filter), after?.diedAt ?? null, after?.id ?? null, limit],
  )
  return rows
}

export interface AuditRow {
  readonly id: string
  readonly at: Date
  readonly action: 'replay' | 'discard'
  readonly by: string
  readonly note: string | null
  readonly letter: string
  readonly consumer: string
  readonly message_id: string
  readonly type: string
  readonly key: string
  readonly seq: number | null
  readonly cause: string
}

/** The last `limit` acts, the latest first. */
export async function readAudit(on: Queryable, limit: number): Promise<readonly AuditRow[]> {
  const { rows } = await on.query<AuditRow>(
    `select id, at, action, by, note, letter, consumer, message_id, type, key, seq, cause from skerry_dead_letter_audit order by at desc, id desc limit $1`,
    [limit],
  )
  return rows
}
