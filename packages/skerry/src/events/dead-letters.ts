/**
 * Dead letters in the hands of people: read, replayed, discarded. Both acts are one transaction with their audit row, so that a crash
 * loses nothing and of two people one wins. What is replayed goes through inbox and cursor like any other delivery.
 */
import type { NewId } from '../base/id.ts'
import type { Database, Queryable, Transaction } from '../engine/database.ts'
import type { Envelope } from './cloud-event.ts'
import { readCloudEvent } from './cloud-event.ts'
import type { DeadLetterRow } from './dead-letter-rows.ts'
import { LETTER_COLUMNS } from './dead-letter-rows.ts'
import * as store from './inbox-store.ts'
import { arrival } from './inbox.ts'
import * as cursors from './key-cursor.ts'
import type { StoredMessage } from './stored-message.ts'
import { readStoredText } from './stored-message.ts'
import { readSubscription } from './subscription-start.ts'

/** Who acts on dead letters, and when. */
export interface Act {
  /** A person or a program, as it calls itself. */
  readonly by: string
  /** Why, for the audit. */
  readonly note?: string | undefined
  readonly now: Date
  readonly newId: NewId
}

export interface Replay extends Act {
  /** Handle it although its key has gone on without it. Default: such a letter is refused. */
  readonly outOfOrder?: boolean | undefined
}

export type ActResult =
  | { readonly done: true; readonly letter: DeadLetterRow }
  | {
      readonly done: false
      readonly reason: /** There is none of this id: somebody else was faster, or there never was. */
        | 'gone'
        /** Its key has gone on without it, so handling it now would be out of order. */
        | 'passed'
        /** One before it of its key waits, is dead or may still come. */
        | 'notItsTurn'
    }

/** Makes the letter a delivery that is due now, with the same id, key and number and none of its attempts. */
export function replayDeadLetter(database: Database, id: string, act: Replay): Promise<ActResult> {
  return acting(database, id, 'replay', act, async (transaction, letter) => {
    const outOfOrder = letter.seq !== null && (await hasPassed(transaction, letter))
    if (outOfOrder && act.outOfOrder !== true) return 'passed'
    await transaction.query(
      `insert into skerry_delivery as kept (consumer, message_id, source, key, seq, envelope, first_at, reason, attempts, next_at)
       values ($1, $2, $3, $4, $5, $6, $7, 'retry', 0, $7)
       on conflict (consumer, message_id) do update set envelope = excluded.envelope, seq = excluded.seq, attempts = 0, unfinished = 0, deferrals = 0,
         next_at = case when kept.claimed_by is null then excluded.next_at else kept.next_at end`,
      [
        letter.consumer,
        letter.message_id,
        letter.source,
        letter.key,
        outOfOrder ? null : letter.seq,
        outOfOrder ? withoutSequence(letter.envelope) : letter.envelope,
        act.now,
      ],
    )
    return undefined
  })
}

/** Forgets the letter for good, and lets its key go on behind it: the cursor moves past it in the same transaction. */
export function discardDeadLetter(database: Database, id: string, act: Act): Promise<ActResult> {
  return acting(database, id, 'discard', act, async (transaction, letter) => {
    const { consumer, source, key, seq } = letter
    // Should the broker deliver it once more, it is known.
    if (seq === null) await store.remember(transaction, consumer, letter.message_id, act.now)
    else if (!(await passBy(transaction, letter, seq, act.now))) return 'notItsTurn'
    else await store.bringAlong(transaction, { consumer, source, key }, seq, act.now)
    return undefined
  })
}

/** Undoes everything when the act is refused. */
class Refused extends Error {
  readonly reason: 'passed' | 'notItsTurn'

  constructor(reason: Refused['reason']) {
    super(reason)
    this.reason = reason
  }
}

async function acting(
  database: Database,
  id: string,
  action: 'replay' | 'discard',
  act: Act,
  work: (transaction: Transaction, letter: DeadLetterRow) => Promise<Refused['reason'] | undefined>,
): Promise<ActResult> {
  try {
    return await database.transaction('read committed', async (transaction) => {
      // Whoever comes second waits here for the first, and then finds nothing.
      const { rows } = await transaction.query<DeadLetterRow>(`delete from skerry_dead_letter where id = $1 returning ${LETTER_COLUMNS}`, [
        id,
      ])
      const letter = rows[0]
      if (letter === undefined) return { done: false, reason: 'gone' }
      const refused = await work(transaction, letter)
      if (refused !== undefined) throw new Refused(refused)
      await recordAct(transaction, action, letter, act)
      return { done: true, letter }
    })
  } catch (error) {
    if (error instanceof Refused) return { done: false, reason: error.reason }
    throw error
  }
}

/** Letters of these causes did not hold back their key. Any other that lies behind the cursor was handled elsewhere, and its replay is a no-op. */
async function hasPassed(on: Queryable, { cause, consumer, source, key, seq }: DeadLetterRow): Promise<boolean> {
  if (cause !== 'undeclared' && cause !== 'overtaken') return false
  const cursor = await cursors.readCursor(on, consumer, source, key)
  return cursor !== undefined && seq! <= cursor.sequence
}

/** False when the letter's turn has not come. */
async function passBy(on: Queryable, letter: DeadLetterRow, sequence: number, now: Date): Promise<boolean> {
  const { consumer, source, key, topic } = letter
  if (await cursors.advance(on, consumer, source, key, sequence)) return true
  const cursor = await cursors.readCursor(on, consumer, source, key)
  const message = storedMessage(letter)
  const previousAtMs = message?.envelope.previousTime === undefined ? undefined : Date.parse(message.envelope.previousTime)
  const subscribedSinceMs = (await readSubscription(on, consumer, topic))?.getTime()
  const earlierIsHere = message !== undefined && (await store.hasEarlier(on, message, cursor))
  const facts = { cursor, sequence, previousAtMs, subscribedSinceMs, earlierIsHere, firstSeenMs: letter.died_at.getTime() }
  const verdict = arrival(facts, now.getTime())
  if (verdict === 'begin' && message !== undefined) return cursors.begin(on, message, cursor)
  return verdict === 'duplicate' || verdict === 'overtaken'
}

function storedMessage({ consumer, envelope }: DeadLetterRow): StoredMessage | undefined {
  const { topic, body } = readStoredText(envelope)
  const read = readCloudEvent(body)
  return read.ok ? { consumer, topic, body, envelope: read.envelope } : undefined
}

/** The same event as one that its publisher does not number: the inbox knows it by its id, and its key does not wait for it. */
function withoutSequence(stored: string): string {
  const { topic, body } = readStoredText(stored)
  const { sequence: _number, previoustime: _time, ...rest } = JSON.parse(body) as Record<string, unknown>
  return JSON.stringify({ topic, body: JSON.stringify(rest) })
}

async function recordAct(on: Queryable, action: 'replay' | 'discard', letter: DeadLetterRow, { by, note, now, newId }: Act): Promise<void> {
  await on.query(
    `insert into skerry_dead_letter_audit (id, at, action, by, note, letter, consumer, message_id, topic, type, source, key, seq, cause, error_hash)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
    [
      newId(),
      now,
      action,
      by,
      note ?? null,
      letter.id,
      letter.consumer,
      letter.message_id,
      letter.topic,
      letter.type,
      letter.source,
      letter.key,
      letter.seq,
      letter.cause,
      letter.error_hash,
    ],
  )
}

/** The event inside a letter, as far as it can be read. */
export function eventOf(letter: Pick<DeadLetterRow, 'envelope'>): { readonly body: string; readonly envelope: Envelope | undefined } {
  const { body } = readStoredText(letter.envelope)
  const read = readCloudEvent(body)
  return { body, envelope: read.ok ? read.envelope : undefined }
}
