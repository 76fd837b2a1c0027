/** Makes dead letters of what will not be tried again by itself: kept whole, with all a person needs to decide, and reported. */
import type { Clock } from '../base/clock.ts'
import { crashPoint } from '../base/crash-points.ts'
import type { NewId } from '../base/id.ts'
import type { Database, Transaction } from '../engine/database.ts'
import type { Log } from '../telemetry/log.ts'
import { parseTraceparent } from '../telemetry/trace-context.ts'
import type { EventFailure } from './event-failure.ts'
import { describeFailure } from './event-failure.ts'
import type { DeadLetter } from './inbox-store.ts'
import * as store from './inbox-store.ts'
import type { StoredMessage } from './stored-message.ts'
import { about } from './stored-message.ts'

export interface BurialOptions {
  readonly service: string
  readonly database: Database
  readonly clock: Clock
  readonly newId: NewId
  readonly log: Log
}

/** Why a message is dead, after so many attempts. */
export interface Death {
  readonly attempts: number
  readonly failure: EventFailure
  readonly cause: DeadLetter['cause']
}

export class Burial {
  readonly #options: BurialOptions

  constructor(options: BurialOptions) {
    this.#options = options
  }

  /** In a transaction of its own. */
  async bury(message: StoredMessage, death: Death): Promise<void> {
    const letter = await this.#options.database.transaction('read committed', (on) => this.buryIn(on, message, death))
    this.report(message, letter, death.failure.error)
  }

  /** In an open transaction: to be reported once that is committed. */
  async buryIn(on: Transaction, message: StoredMessage, { attempts, failure, cause }: Death): Promise<DeadLetter> {
    const letter: DeadLetter = {
      id: this.#options.newId(),
      cause,
      error: failure.message,
      stack: failure.stack,
      errorHash: failure.hash,
      attempts,
      type: message.envelope.type,
      traceId: parseTraceparent(message.envelope.traceparent)?.traceId,
      diedAt: this.#options.clock.now(),
    }
    await store.bury(on, message, letter)
    return letter
  }

  report(message: StoredMessage, { id, attempts }: DeadLetter, cause: unknown): void {
    const what = { ...about(message), attempt: attempts, deadLetter: id, cause }
    this.#options.log.error('An event is a dead letter: it will not be tried again by itself', what)
    crashPoint('inbox.dead-lettered')
  }

  /** What is no event. */
  async buryUndecodable({ id, topic, type, body }: Undecodable, problem: string): Promise<void> {
    const { service, database, log } = this.#options
    const unknown = { data: undefined, time: '', traceparent: undefined, sequence: undefined, previousTime: undefined }
    const message: StoredMessage = { consumer: service, topic, envelope: { id, source: topic, type, key: id, ...unknown }, body }
    const death: Death = { attempts: 1, failure: describeFailure(new Error(problem)), cause: 'undecodable' }
    const letter = await database.transaction('read committed', (on) => this.buryIn(on, message, death))
    log.error('A message that is not a CloudEvent is a dead letter', { message: id, topic, reason: problem, deadLetter: letter.id })
    crashPoint('inbox.dead-lettered')
  }
}

/** What can be known of it. */
export interface Undecodable {
  readonly id: string
  readonly topic: string
  readonly type: string
  readonly body: string
}
