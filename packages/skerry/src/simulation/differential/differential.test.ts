/**
 * The same workload on the platform's decisions with tables in memory, and in real services with SQL: both end in the same state, and where one
 * of the two is wrong, what they differ in says what.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decide } from '../../saga/saga.ts'
import { forgettingTheHandled, replacing, rewritten } from '../fixtures/planted.ts'
import type { Engineering, Run } from '../outcome.ts'
import type { ProtocolEngines } from '../protocol/engines.ts'
import { ENGINES } from '../protocol/engines.ts'
import type { Simulator } from '../simulator.ts'
import { openSimulator } from '../simulator.ts'
import type { EndState } from './end-state.ts'
import { bothTiers } from './fixtures/both-tiers.ts'
import type { Stage } from './fixtures/stage.ts'

interface Planted {
  readonly engineering?: Engineering
  readonly engines?: Partial<ProtocolEngines>
}

/** A bound for what hangs. */
const TEST_MS = 600_000
const SEEDS = 15
/** So many seeds a mistake may hide from. */
const BUDGET = 25
const LEVELS = ['mild', 'rough', 'hell'] as const

let planted: Planted = {}
const ends: EndState[] = []
let simulator: Simulator<{ readonly stage: Stage; readonly seed: number }>

beforeAll(async () => {
  simulator = await openSimulator(bothTiers({ engines: () => planted.engines ?? {}, onEnd: (state) => ends.push(state) }), {
    database: (engine) => planted.engineering?.database?.(engine) ?? engine,
  })
})
afterAll(() => simulator[Symbol.asyncDispose]())

function run(seed: number): Promise<Run> {
  return simulator.run({ seed, faults: LEVELS[seed % LEVELS.length]! })
}

test('both tiers end in the same state, whatever goes wrong in each', { timeout: TEST_MS }, async () => {
  planted = {}
  ends.length = 0
  for (let seed = 1; seed <= SEEDS; seed++) expect((await run(seed)).failure, `seed ${seed}`).toBeUndefined()
  const outcomes = new Set(ends.flatMap(({ sagas }) => Object.values(sagas).map(({ outcome }) => outcome.replace(/ at .*/, ''))))
  const expected = ['completed', 'compensated, exhausted', 'compensated, refused', 'parked', 'parked, refused']
  expect(expected.filter((outcome) => !outcomes.has(outcome))).toEqual([])
  const all = (part: 'handled' | 'deadLetters' | 'waiting'): readonly string[] => ends.flatMap((end) => Object.values(end[part]).flat())
  expect(all('handled').some((label) => label.startsWith('re saga-'))).toBe(true)
  expect(all('deadLetters').length).toBeGreaterThan(0)
  expect(all('waiting').length).toBeGreaterThan(0)
  expect(ends.some(({ sagas }) => Object.values(sagas).some(({ undone }) => undone.length > 1))).toBe(true)
})

describe('they do not', () => {
  const bugs: Readonly<Record<string, Planted & { readonly says: RegExp }>> = {
    'when, in SQL, a cursor may skip what is missing': {
      engineering: rewritten((sql) =>
        sql.includes('skerry_key_cursor')
          ? sql
              .replace('and seq = $4 - 1 returning', 'returning')
              .replace('or first - 1 =', 'or first - 1 >=')
              .replace('cursor.seq = excluded.began - 1', 'true')
          : undefined,
      ),
      says: /^\w+: \S+ handled\n +in memory, \w+ faults: .*\n +in SQL: /m,
    },
    'when, in SQL, what was handled is not remembered': {
      engineering: forgettingTheHandled,
      says: /handled\n +in memory.*\n +in SQL: .*\b(\d\.\d\.\d),.* \1\b/,
    },
    'when, in SQL, a dead letter is not kept': {
      engineering: rewritten((sql) =>
        sql.includes('insert into skerry_dead_letter (')
          ? sql.replace(/values (\([^)]*\)) on conflict/, (_, values: string) => `select ${values.slice(1, -1)} where false on conflict`)
          : undefined,
      ),
      says: /has dead letters\n +in memory, \w+ faults: .* rejected\n +in SQL: nothing/,
    },
    'when, in SQL, the answers of operations are not kept': {
      engineering: replacing(
        `insert into skerry_answer (operation, key, fingerprint, at) values ($1, $2, $3, $4) on conflict do nothing returning 1 as claimed`,
        'select 1 as claimed where $1::text || $2::text || $3::text is not null and $4::timestamptz is not null',
      ),
      says: /handled\n +in memory.*\n +in SQL: .*\b(\d\.\d\.\d),.* \1\b/,
    },
    'when, in memory, the first steps are undone first': {
      engines: {
        decide: (definition, state, nowMs) =>
          state.status === 'compensating'
            ? decide({ ...definition, stages: definition.stages.toReversed() }, state, nowMs)
            : decide(definition, state, nowMs),
      },
      says: /saga \d+\n +in memory.*undone: (\w+), (\w+)\n +in SQL.*undone: \2, \1$/m,
    },
    'when, in memory, a dead letter lets those behind it overtake': {
      engines: {
        advance: (place, sequence) => {
          if (!place.dead.some(({ event }) => event.sequence === sequence - 1)) return ENGINES.advance(place, sequence)
          place.cursor = { sequence, began: place.cursor?.began ?? 1 }
          return true
        },
      },
      says: /has waiting\n +in memory, \w+ faults: nothing\n +in SQL: /,
    },
    'when, in memory, a step of unknown outcome is not undone': {
      engines: {
        decide: (definition, state, nowMs) => {
          const decision = decide(definition, state, nowMs)
          return decision.kind === 'undo' && state.steps[decision.step.name]?.status === 'running'
            ? { kind: 'end', status: 'compensated' }
            : decision
        },
      },
      says: /saga \d+\n +in memory.*in effect: \w+; undone: nothing\n +in SQL.*in effect: nothing; undone: \w+$/m,
    },
  }

  test.each(Object.entries(bugs))('%s', { timeout: TEST_MS }, async (_, { says, ...mistake }) => {
    planted = mistake
    let failure: Run['failure']
    for (let seed = 1; failure === undefined && seed <= BUDGET; seed++) failure = (await run(seed)).failure
    expect(failure, `not found in ${BUDGET} seeds`).toMatchObject({ name: 'both tiers end in the same state' })
    expect(failure!.messages.join('\n')).toMatch(says)
  })
})
