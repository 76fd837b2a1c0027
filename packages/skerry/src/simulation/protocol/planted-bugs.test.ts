import { describe, expect, test } from 'vitest'
import { Relay } from '../../events/relay.ts'
import { decide } from '../../saga/saga.ts'
import type { ProtocolEngines } from './engines.ts'
import { ENGINES } from './engines.ts'
import type { FaultLevel } from './faults.ts'
import { runProtocol } from './run-protocol.ts'

/** So many seeds a mistake may hide from. */
const BUDGET = 2_000
const LEVELS: readonly FaultLevel[] = ['rough', 'hell', 'mild']

/** How many seeds it takes until something is found. */
function seedsUntilFound(engines: Partial<ProtocolEngines>): number | undefined {
  for (let seed = 1; seed <= BUDGET; seed++)
    if (runProtocol({ seed, faults: LEVELS[seed % LEVELS.length]!, engines }).violations.length > 0) return seed
  return undefined
}

/** A relay that is told that all is well, whatever came of it. */
class HopefulRelay extends Relay {
  override settle(...[batch, outcome, nowMs]: Parameters<Relay['settle']>): void {
    super.settle(batch, { ...outcome, failure: undefined }, nowMs)
  }
}

/** A relay that does not say that it has passed something by. */
class SilentRelay extends Relay {
  override claim<Row extends { id: number; topic: string; key: string }>(rows: readonly Row[], nowMs: number) {
    return { ...super.claim(rows, nowMs), skipped: false }
  }
}

/** A relay that takes a key whose pause has just ended for one of which nothing is left. */
class ForgetfulRelay extends Relay {
  override forgetAbsent(nowMs: number): void {
    super.forgetAbsent(nowMs + 6)
  }
}

/** A relay that lets keys wait for ever. */
class DeafRelay extends Relay {
  override get nextRetryMs(): undefined {
    return undefined
  }
}

const BUGS: Readonly<Record<string, Partial<ProtocolEngines>>> = {
  'a message is acknowledged before its effect is committed': { acknowledges: 'once received' },
  'rows behind a failed one are deleted with it': {
    confirmation: (batch, outcomes, hasConsumers) => {
      const outcome = ENGINES.confirmation(batch, outcomes, hasConsumers)
      return outcome.failure === undefined ? outcome : { ...outcome, done: batch.map(({ id }) => id) }
    },
  },
  'a failed batch does not park its key': { relay: (settings) => new HopefulRelay(settings) },
  'what the relay has passed by is not looked for again': { relay: (settings) => new SilentRelay(settings) },
  'a key is forgotten whose pause ends while the outbox is read': { relay: (settings) => new ForgetfulRelay(settings) },
  'a parked key is never tried again': { relay: (settings) => new DeafRelay(settings) },
  'nobody looks for what a transaction may have written whose COMMIT was not answered': { looksAgain: false },
  'the cursor is not moved with the effect': { advance: (place, sequence) => sequence === (place.cursor?.sequence ?? 0) + 1 },
  'a duplicate is handled': {
    advance: () => false,
    arrival: (facts, nowMs) => {
      const verdict = ENGINES.arrival(facts, nowMs)
      return verdict === 'duplicate' ? 'begin' : verdict
    },
  },
  'an early message is dropped as a duplicate': {
    arrival: (facts, nowMs) => {
      const verdict = ENGINES.arrival(facts, nowMs)
      return verdict === 'early' ? 'duplicate' : verdict
    },
  },
  'a gap is skipped after a while': {
    arrival: (facts, nowMs) => {
      const verdict = ENGINES.arrival(facts, nowMs)
      return verdict === 'early' && nowMs - facts.firstSeenMs > 5_000 ? 'begin' : verdict
    },
  },
  'failures forget how often it was tried': {
    afterFailure: (kind, _attempts, ...rest) => ENGINES.afterFailure(kind, 1, ...rest),
  },
  'an attempt is not counted before it is made': {
    countAttempt: (...parameters) => {
      const counted = ENGINES.countAttempt(...parameters)
      const row = parameters[0].kept.find(({ event }) => event === parameters[1])
      if (row !== undefined) row.attempts--
      return counted
    },
  },
  'a dead letter lets those behind it overtake': {
    advance: (place, sequence) => {
      if (!place.dead.some(({ event }) => event.sequence === sequence - 1)) return ENGINES.advance(place, sequence)
      place.cursor = { sequence, began: place.cursor?.began ?? 1 }
      return true
    },
  },
  'nothing ever dies': {
    afterFailure: (...parameters) => {
      const next = ENGINES.afterFailure(...parameters)
      return 'deadLetter' in next ? { retryAtMs: parameters[3] + 1_000_000 } : next
    },
  },
  'what waits is not brought along': { bringAlong: () => undefined, recheckAtMs: (_first, _previous, nowMs) => nowMs + 600_000 },
  'a saga is written by somebody who was replaced': { isOwn: () => true },
  'a participant forgets what it has undone': { admits: (record) => record !== 'done' && record !== 'refused' },
  'a step is done before its effect': {
    afterRun: (definition, state, step, outcome) =>
      ENGINES.afterRun(definition, state, step, outcome.kind === 'failed' ? { kind: 'done', output: null } : outcome),
  },
  'the first steps are undone first': {
    decide: (definition, state, nowMs) =>
      state.status === 'compensating'
        ? decide({ ...definition, stages: definition.stages.toReversed() }, state, nowMs)
        : decide(definition, state, nowMs),
  },
  'what is behind the pivot is undone when it fails too often': {
    afterRun: (definition, state, step, outcome) => {
      const after = ENGINES.afterRun(definition, state, step, outcome)
      if (outcome.kind !== 'failed' || (after.steps[step.name]?.attempts ?? 0) < step.maxAttempts) return after
      return ENGINES.compensate(after, { reason: 'exhausted', step: step.name, message: '', code: 'exhausted', data: null })
    },
  },
  'a step of unknown outcome is not undone': {
    decide: (definition, state, nowMs) => {
      const decision = decide(definition, state, nowMs)
      return decision.kind === 'undo' && state.steps[decision.step.name]?.status === 'running'
        ? { kind: 'end', status: 'compensated' }
        : decision
    },
  },
}

describe('a mistake is found', () => {
  for (const [bug, engines] of Object.entries(BUGS))
    test(`when ${bug}`, ({ annotate }) => {
      const seeds = seedsUntilFound(engines)
      expect(seeds, `it was not found in ${BUDGET} seeds`).toBeDefined()
      return annotate(`found after ${seeds} seeds`)
    })
})
