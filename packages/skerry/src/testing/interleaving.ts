/**
 * Runs transactions against each other in every order in which their statements can meet, on a real PostgreSQL server: the
 * one place where isolation shows. Waiting for a lock is part of an order, and is found by asking the server who waits for whom.
 */
import { turn } from '../base/clock.ts'
import type { Database, Isolation, Queryable, Transaction } from '../engine/database.ts'

/** One transaction, cut where another may come between. What a step returns is kept as its result. */
export interface InterleavedTransaction {
  readonly isolation: Isolation
  readonly steps: readonly ((transaction: Transaction, results: readonly unknown[]) => Promise<unknown>)[]
}

export type InterleavedOutcome =
  | { readonly committed: true; readonly results: readonly unknown[] }
  /** What ended it; nothing of it was kept. */
  | { readonly committed: false; readonly error: unknown }

export interface Interleaving {
  /** The order that was meant, by the index of the transaction; each one's last turn is its COMMIT. */
  readonly order: readonly number[]
  /** How the transactions ended, in the order in which they were given. */
  readonly outcomes: readonly InterleavedOutcome[]
  /** How many statements had to wait for a lock. */
  readonly waits: number
}

export interface InterleavingOptions {
  /** A server, with as many connections as there are transactions and one more. */
  readonly database: Database
  /** Puts the database into the state in which every order begins. */
  readonly prepare: () => Promise<void>
  /** The transactions, made anew for every order. */
  readonly transactions: () => readonly InterleavedTransaction[]
  /** Throws when what came of an order must not be. */
  readonly check: (interleaving: Interleaving) => Promise<void>
}

export interface Exploration {
  readonly orders: number
  /** Orders in which somebody had to wait: where there are none, the transactions never met. */
  readonly ordersWithWaits: number
  /** Orders that `check` refused, with its reason. */
  readonly violations: readonly { readonly order: string; readonly reason: string }[]
}

/** Runs every order. `check` sees each; its refusals are collected, so that a test can also show that a careless way fails. */
export async function exploreInterleavings(options: InterleavingOptions): Promise<Exploration> {
  const violations: { order: string; reason: string }[] = []
  let orders = 0
  let ordersWithWaits = 0
  const turnsOf = options.transactions().map(({ steps }) => steps.length + 1)
  for (const order of interleavings(turnsOf)) {
    await options.prepare()
    const interleaving = await runInOrder(options, order)
    orders++
    if (interleaving.waits > 0) ordersWithWaits++
    try {
      await options.check(interleaving)
    } catch (error) {
      violations.push({ order: order.join(''), reason: error instanceof Error ? error.message : String(error) })
    }
  }
  return { orders, ordersWithWaits, violations }
}

/** Every order of so many turns of each: for 3 and 3 there are 20. */
export function* interleavings(turns: readonly number[]): Generator<readonly number[]> {
  if (turns.every((left) => left === 0)) yield []
  for (const [index, left] of turns.entries()) {
    if (left === 0) continue
    for (const rest of interleavings(turns.with(index, left - 1))) yield [index, ...rest]
  }
}

async function runInOrder({ database, transactions }: InterleavingOptions, order: readonly number[]): Promise<Interleaving> {
  const sessions = transactions().map((transaction) => new Session(database, transaction))
  let waits = 0
  /** Turns of sessions that wait for a lock: taken as soon as they can be. */
  const owed = sessions.map(() => 0)
  const takeOwed = async (): Promise<void> => {
    for (let progress = true; progress;) {
      progress = false
      for (const [index, session] of sessions.entries())
        if (owed[index]! > 0 && !session.busy) {
          owed[index]!--
          progress = true
          await session.turn()
          if (session.busy) waits++
        }
    }
  }
  for (const index of order) {
    const session = sessions[index]!
    if (session.busy) owed[index]!++
    else {
      await session.turn()
      if (session.busy) waits++
    }
    for (const other of sessions) await other.untilDoneOrWaiting()
    await takeOwed()
  }
  // What still waits can only be let go by the server: a deadlock, of which it ends one.
  while (sessions.some(({ busy }) => busy) || owed.some((left) => left > 0)) {
    await Promise.race(sessions.filter(({ busy }) => busy).map((session) => session.whenFree()))
    for (const session of sessions) await session.untilDoneOrWaiting()
    await takeOwed()
  }
  return { order, outcomes: await Promise.all(sessions.map(({ outcome }) => outcome)), waits }
}

/** A transaction that goes on by one step whenever it is given a turn. */
class Session {
  readonly outcome: Promise<InterleavedOutcome>
  readonly #database: Queryable
  readonly #steps: InterleavedTransaction['steps']
  #turns: (() => void)[] = []
  #given = 0
  #taken = 0
  #pid: number | undefined
  #ended = false
  #free: Promise<void> = Promise.resolve()
  #becomesFree: () => void = () => undefined

  constructor(database: Database, { isolation, steps }: InterleavedTransaction) {
    this.#database = database
    this.#steps = steps
    const results: unknown[] = []
    this.outcome = database
      .transaction(isolation, async (transaction) => {
        for (const step of this.#steps) {
          await this.#nextTurn()
          this.#pid ??= await backendOf(transaction)
          results.push(await step(transaction, results))
          this.#done()
        }
        await this.#nextTurn()
      })
      .then(
        (): InterleavedOutcome => ({ committed: true, results }),
        (error: unknown): InterleavedOutcome => ({ committed: false, error }),
      )
      .finally(() => {
        this.#ended = true
        this.#done()
      })
  }

  /** A turn was given and what was begun with it has not ended. */
  get busy(): boolean {
    return this.#given > this.#taken
  }

  /** Lets it take its next step; resolves when that is done or waits for a lock. A session that has ended takes none. */
  async turn(): Promise<void> {
    if (this.#ended) return
    this.#given++
    this.#free = new Promise((resolve) => (this.#becomesFree = resolve))
    this.#turns.shift()?.()
    await this.untilDoneOrWaiting()
  }

  async untilDoneOrWaiting(): Promise<void> {
    while (this.busy && !(await this.#waitsForLock())) await turn()
  }

  whenFree(): Promise<void> {
    return this.#free
  }

  #nextTurn(): Promise<void> {
    if (this.busy) return Promise.resolve()
    return new Promise((resolve) => this.#turns.push(resolve))
  }

  #done(): void {
    this.#taken = this.#given
    this.#becomesFree()
  }

  async #waitsForLock(): Promise<boolean> {
    if (this.#pid === undefined) return false
    const { rows } = await this.#database.query<{ waits: boolean }>(`select cardinality(pg_blocking_pids($1)) > 0 as waits`, [this.#pid])
    return this.busy && rows[0]!.waits
  }
}

async function backendOf(transaction: Transaction): Promise<number> {
  const { rows } = await transaction.query<{ pid: number }>(`select pg_backend_pid() as pid`)
  return rows[0]!.pid
}
