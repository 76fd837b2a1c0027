import { contract, post, problem } from 'skerry/contract'
/** Requests with one Idempotency-Key against each other, in every order of their statements, on real PostgreSQL. */
import type { Database } from 'skerry/engine'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { idSource } from '../../packages/skerry/src/base/id.ts'
import { seededRandom } from '../../packages/skerry/src/base/random.ts'
import { boundOperations } from '../../packages/skerry/src/contract/bound-operation.ts'
import { createTransactionRunner } from '../../packages/skerry/src/events/transaction-runner.ts'
import { DeclaredProblemError } from '../../packages/skerry/src/service/context.ts'
import { AnsweredBefore, KeyedRequest } from '../../packages/skerry/src/service/stored-answer.ts'
import { childTrace } from '../../packages/skerry/src/telemetry/trace-context.ts'
import type { PlatformDatabase } from './platform-database.ts'
import { openPlatformDatabase, standingClock } from './platform-database.ts'
import { exploreSchedules } from './schedules.ts'

let held: PlatformDatabase
beforeAll(async () => void (held = await openPlatformDatabase()))
afterAll(() => held[Symbol.asyncDispose]())

const closed = problem(409, 'Closed')
const payments = contract('payments', {
  version: '1.0.0',
  operations: {
    pay: post('/payments', { input: z.object({}), output: z.object({ by: z.string() }), errors: { closed }, idempotent: true }),
  },
})
const pay = boundOperations(payments).get('pay')!
const clock = standingClock()
const random = seededRandom(1)
const told = { onEmitted: () => {}, onUncertain: () => {}, onDelayed: () => {} }

/** One request, as the service answers it: paid by whom it says, or refused. */
const request =
  (by: string, refusal: 'none' | 'inside' | 'outside' = 'none') =>
  async (database: Database): Promise<string> => {
    const keyed = new KeyedRequest(pay, 'key', {}, clock)
    const transactions = createTransactionRunner({ topic: 'payments', database, clock, random, newId: idSource(clock, random), ...told })
    const scope = { service: 'payments', trace: childTrace(undefined, random), deadlineAtMs: Infinity }
    const refused = new DeclaredProblemError('closed', closed, undefined, undefined)
    try {
      if (refusal === 'outside') throw await keyed.settle(refused, (work) => transactions(scope, 'read committed', work))
      await keyed.run(
        (work) => transactions(scope, 'repeatable read', work),
        async ({ transaction }) => {
          await transaction.query(`insert into effect (what) values ($1)`, [by])
          if (refusal === 'inside') throw refused
          return { by }
        },
      )
      return by
    } catch (error) {
      if (error === refused) return 'closed'
      if (!(error instanceof AnsweredBefore)) throw error
      const { answer } = error
      return 'problem' in answer ? answer.problem.code : (answer.output as { by: string }).by
    }
  }

const explore = (other: 'none' | 'inside' | 'outside', without?: (sql: string) => string) =>
  exploreSchedules({
    database: held.database,
    ...(without && { without }),
    async prepare() {
      await held.clear()
      return { a: request('a'), b: request('b', other) }
    },
    async check({ a, b }) {
      expect(a).toMatchObject({ ok: true })
      // Both hear the same, and it is what was done.
      expect(b).toEqual(a)
      const answer = (a as { value: string }).value
      expect(await held.effects()).toEqual(answer === 'closed' ? [] : [answer])
    },
  })

test.each(['none', 'inside', 'outside'] as const)(
  'two requests with one key have one effect and one answer (refused: %s)',
  async (other) => {
    const { violations, ordersWithWaits, all } = await explore(other)
    expect(violations).toEqual([])
    expect(all).toBe(true)
    expect(ordersWithWaits).toBeGreaterThan(0)
  },
)

test('is found to fail without the claim', async () => {
  const unclaimed = (sql: string): string =>
    sql.replace(
      'on conflict do nothing returning 1 as claimed',
      'on conflict (operation, key) do update set at = excluded.at returning 1 as claimed',
    )
  expect((await explore('none', unclaimed)).violations).not.toEqual([])
  expect((await explore('outside', unclaimed)).violations).not.toEqual([])
})
