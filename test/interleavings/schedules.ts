/**
 * Runs pieces of the platform against each other on a real PostgreSQL, statement by statement, in every order in which their statements can
 * meet. Unlike `exploreInterleavings`, which orders transactions that are written down step by step, this takes the platform's own
 * code as it is, with as many transactions as it opens: each statement and each COMMIT waits for its turn.
 */
import type { Database, Transaction } from 'skerry/engine'
import { turn } from '../../packages/skerry/src/base/clock.ts'
import { seededRandom } from '../../packages/skerry/src/base/random.ts'

/** A piece of work that does all it does to the database through what it is given. */
export type Actor = (database: Database) => Promise<unknown>

export interface ScheduleOptions {
  readonly database: Database
  /** Puts the database into the state in which every order begins, and makes the actors anew. */
  readonly prepare: () => Promise<Readonly<Record<string, Actor>>>
  /** Throws when what came of an order must not be. */
  readonly check: (outcomes: Readonly<Record<string, Outcome>>) => Promise<void>
  /** Where there are more orders than this, only half of so many are gone through in a row, and as many are drawn from everywhere. Default 120. */
  readonly most?: number
  /** Leaves a protection out: what it gives is run in the place of each statement. */
  readonly without?: (sql: string) => string
  /** Ends with the first order that is refused, and looks for it in up to ten times as many. Default: true when a protection is left out. */
  readonly untilRefused?: boolean
}

export type Outcome = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown }

export interface Schedules {
  readonly orders: number
  /** Every order was run; false where they are too many and were drawn. */
  readonly all: boolean
  /** Orders in which somebody had to wait for a lock. */
  readonly ordersWithWaits: number
  readonly violations: readonly { readonly order: string; readonly reason: string }[]
}

const DEFAULT_MOST = 120
const SEED = 20_260
const LOOK_HARDER = 10

export async function exploreSchedules(options: ScheduleOptions): Promise<Schedules> {
  const { most = DEFAULT_MOST, untilRefused = options.without !== undefined } = options
  const violations: { order: string; reason: string }[] = []
  let orders = 0
  let ordersWithWaits = 0
  const run = async (choose: Choose): Promise<void> => {
    const { order, waited, reason } = await runOnce(options, choose)
    orders++
    if (waited) ordersWithWaits++
    if (reason !== undefined) violations.push({ order, reason })
  }
  const random = seededRandom(SEED)
  const draw = (of: number): number => Math.floor(random.next() * of)
  const path: { chosen: number; of: number }[] = []
  let all = false
  // In a row the ends of orders change first: what is refused is found sooner among orders from everywhere.
  while (untilRefused && violations.length === 0 && orders < most * LOOK_HARDER) await run(draw)
  while (!untilRefused && !all && orders < most / 2) {
    let depth = 0
    await run((of) => {
      const place = (path[depth++] ??= { chosen: 0, of })
      return Math.min(place.chosen, of - 1)
    })
    path.length = Math.min(path.length, depth)
    while (path.length > 0 && path.at(-1)!.chosen + 1 >= path.at(-1)!.of) path.pop()
    if (path.length === 0) all = true
    else path.at(-1)!.chosen++
  }
  while (!untilRefused && !all && orders < most) await run(draw)
  return { orders, all, ordersWithWaits, violations }
}

/** Which of so many actors goes on. */
type Choose = (of: number) => number

async function runOnce(
  { database, prepare, check, without }: ScheduleOptions,
  choose: Choose,
): Promise<{ readonly order: string; readonly waited: boolean; readonly reason: string | undefined }> {
  const turns = Object.entries(await prepare()).map(([name, actor]) => new Turns(name, database, actor, without))
  let order = ''
  let waited = false
  for (;;) {
    waited = (await untilQuiet(database, turns)) || waited
    const ready = turns.filter(({ isReady }) => isReady)
    if (ready.length > 0) {
      const next = ready[ready.length === 1 ? 0 : choose(ready.length)]!
      order += next.name
      next.give()
    } else if (turns.every(({ outcome }) => outcome !== undefined)) break
    // All wait for locks: the server ends one of them.
    else await turn()
  }
  try {
    await check(Object.fromEntries(turns.map(({ name, outcome }) => [name, outcome!])))
    return { order, waited, reason: undefined }
  } catch (error) {
    return { order, waited, reason: error instanceof Error ? error.message : String(error) }
  }
}

/** Resolves when whoever is at work waits for a lock; true when somebody does. */
async function untilQuiet(database: Database, turns: readonly Turns[]): Promise<boolean> {
  for (let looks = 0; ; looks++) {
    await turn()
    const busy = turns.filter(({ isBusy }) => isBusy).length
    if (busy === 0) return false
    if (looks % 8 !== 7) continue
    const { rows } = await database.query<{ waiting: number }>(
      `select count(*) as waiting from pg_stat_activity where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0`,
    )
    if (rows[0]!.waiting > 0 && rows[0]!.waiting >= turns.filter(({ isBusy }) => isBusy).length) return true
  }
}

/** An actor that goes on by one statement whenever it is given a turn. */
class Turns {
  readonly name: string
  outcome: Outcome | undefined
  readonly #without: (sql: string) => string
  readonly #waiting: (() => void)[] = []
  #given = 0

  constructor(name: string, database: Database, actor: Actor, without: ((sql: string) => string) | undefined) {
    this.name = name
    this.#without = without ?? ((sql) => sql)
    void actor(this.#gated(database)).then(
      (value) => (this.outcome = { ok: true, value }),
      (error: unknown) => (this.outcome = { ok: false, error }),
    )
  }

  /** It has a statement to run, and runs none. */
  get isReady(): boolean {
    return this.outcome === undefined && this.#waiting.length > 0 && this.#given === 0
  }

  /** It is between two turns: what it does between statements is part of the one before. */
  get isBusy(): boolean {
    return this.outcome === undefined && !this.isReady
  }

  give(): void {
    this.#given++
    this.#waiting.shift()!()
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await work()
    } finally {
      this.#given--
    }
  }

  #gated(database: Database): Database {
    const statement = (sql: string): string => this.#without(sql)
    const gatedTransaction = (transaction: Transaction): Transaction => {
      const query: Transaction['query'] = (sql, parameters) => this.#inTurn(() => transaction.query(statement(sql), parameters))
      // The server is sent the same, but others may come between the last statement and COMMIT.
      return { query, queryLast: query, script: (sql) => this.#inTurn(() => transaction.script(sql)) }
    }
    return {
      query: (sql, parameters) => this.#inTurn(() => database.query(statement(sql), parameters)),
      ping: () => database.ping(),
      close: async () => {},
      transaction: (isolation, work) => {
        let commit: (() => void) | undefined
        return database
          .transaction(isolation, async (transaction) => {
            const result = await work(gatedTransaction(transaction))
            await new Promise<void>((resolve) => this.#waiting.push(resolve))
            commit = () => this.#given--
            return result
          })
          .finally(() => commit?.())
      },
    }
  }
}
