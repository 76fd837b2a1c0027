/**
 * The decisions that a run puts to the test: the platform's own, and the few rules that are SQL statements in the platform and functions
 * over a table here. A test replaces one to see that a mistake in it is found.
 */
import { afterFailure, arrival, recheckAtMs } from '../../events/inbox.ts'
import { confirmation, Relay } from '../../events/relay.ts'
import type { RelaySettings } from '../../events/relay.ts'
import { afterRun, afterUndo, compensate, decide, giveUp, isPastPivot } from '../../saga/saga.ts'
import { advance, begin, bringAlong, countAttempt, keep } from './inbox-table.ts'
import { admits, isOwn } from './saga-table.ts'

/** Of the relay, what its worker uses. */
export type RelayEngine = Pick<
  Relay,
  'inFlightRows' | 'isFull' | 'claim' | 'settle' | 'parkedKeys' | 'nextRetryMs' | 'forgetAbsent' | 'unpark'
>

export interface ProtocolEngines {
  readonly relay: (settings: RelaySettings) => RelayEngine
  readonly confirmation: typeof confirmation
  readonly arrival: typeof arrival
  readonly afterFailure: typeof afterFailure
  readonly recheckAtMs: typeof recheckAtMs
  readonly decide: typeof decide
  readonly afterRun: typeof afterRun
  readonly afterUndo: typeof afterUndo
  readonly compensate: typeof compensate
  readonly giveUp: typeof giveUp
  readonly isPastPivot: typeof isPastPivot
  /** When a consumer answers the broker. */
  readonly acknowledges: 'once committed' | 'once received'
  /** Whether the relay looks for what a transaction may have written whose COMMIT was not answered. */
  readonly looksAgain: boolean
  readonly advance: typeof advance
  readonly begin: typeof begin
  readonly keep: typeof keep
  readonly bringAlong: typeof bringAlong
  readonly countAttempt: typeof countAttempt
  readonly isOwn: typeof isOwn
  readonly admits: typeof admits
}

export const ENGINES: ProtocolEngines = {
  relay: (settings) => new Relay(settings),
  confirmation,
  arrival,
  afterFailure,
  recheckAtMs,
  decide,
  afterRun,
  afterUndo,
  compensate,
  giveUp,
  isPastPivot,
  acknowledges: 'once committed',
  looksAgain: true,
  advance,
  begin,
  keep,
  bringAlong,
  countAttempt,
  isOwn,
  admits,
}
