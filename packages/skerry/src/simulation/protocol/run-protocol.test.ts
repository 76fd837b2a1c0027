import { describe, expect, test } from 'vitest'
import { CRASH_POINTS } from '../../base/crash-points.ts'
import type { FaultLevel } from './faults.ts'
import { runProtocol } from './run-protocol.ts'

const LEVELS: readonly FaultLevel[] = ['mild', 'rough', 'hell']

/** What no run may do without for long, or the simulation has lost its teeth. */
const RARE = [
  'a duplicate was dropped',
  'a lease was stolen',
  'an early message waited',
  'an early message was looked at in vain',
  'an event was handled right behind the one that it waited for',
  'a message was delivered again',
  'a dead letter was delivered again',
  'a message died: rejected',
  'a message died: exhausted',
  'a message died: overtaken',
  'a message that no attempt came to an end with was given up',
  'a key was begun in the middle',
  'a confirmation was lost',
  'a publication was refused',
  'the broker restarted',
  'an acknowledgement was lost',
  'the database refused',
  'an answer to COMMIT was lost',
  'a process stood still',
  'a saga was taken over',
  'a saga that ends whoever works on it was given up',
  'a saga was cancelled in the last moment',
  'a write of somebody who had been replaced was refused',
  'undo came after an unknown outcome',
  'an undo came before its action',
  'an action came after its undo',
  'a saga ended: completed',
  'a saga ended: compensated',
  'a saga ended: parked',
]
/** Of what the model has: no operations that are answered, no event store, no projections. */
const PASSED = CRASH_POINTS.filter((point) => /^(relay|inbox|saga)[.]|^transaction[.](?!opened)/.test(point))

describe('relay, inbox and sagas together', () => {
  test.each(LEVELS)('keep what they promise under %s faults, and come to rest', (faults) => {
    for (let seed = 1; seed <= 1_000; seed++) {
      const { violations } = runProtocol({ seed, faults })
      expect(violations, `runProtocol({ seed: ${seed}, faults: '${faults}' })`).toEqual([])
    }
  })

  test('reach every rare state and die at every crash point', () => {
    const reached = new Set<string>()
    for (let seed = 1; seed <= 1_500; seed++)
      for (const state of Object.keys(runProtocol({ seed, faults: LEVELS[seed % 3]! }).sometimes)) reached.add(state)
    const wanted = [...RARE, ...PASSED.map((point) => `crash at ${point}`)]
    expect(wanted.filter((state) => !reached.has(state))).toEqual([])
  })
})

describe('a run', () => {
  test('is the same for the same seed, and another for another', () => {
    const hashes = new Set<string>()
    for (let seed = 1; seed <= 100; seed++) {
      const faults = LEVELS[seed % 3]!
      const [first, second] = [runProtocol({ seed, faults }), runProtocol({ seed, faults, traced: true })]
      expect(second.hash).toBe(first.hash)
      expect(second.state).toEqual(first.state)
      hashes.add(first.hash)
    }
    expect(hashes.size).toBe(100)
  })

  test('is repeated by the choices that it took', () => {
    for (let seed = 1; seed <= 100; seed++) {
      const faults = LEVELS[seed % 3]!
      const first = runProtocol({ seed, faults })
      const again = runProtocol({ seed, faults, only: new Set(first.taken) })
      expect(again.hash).toBe(first.hash)
      expect(again.violations).toEqual(first.violations)
    }
  })

  test('that breaks a promise breaks it again by the choices that it took, and most often by few of them', () => {
    const engines = { looksAgain: false }
    let seed = 1
    while (runProtocol({ seed, faults: 'rough', engines }).violations.length === 0) seed++
    const { taken, violations } = runProtocol({ seed, faults: 'rough', engines })
    const isBroken = (only: readonly string[]): boolean =>
      runProtocol({ seed, faults: 'rough', engines, only: new Set(only) }).violations.length > 0
    expect(runProtocol({ seed, faults: 'rough', engines, only: new Set(taken) }).violations).toEqual(violations)
    let needed = taken
    for (const choice of taken) {
      const fewer = needed.filter((other) => other !== choice)
      if (isBroken(fewer)) needed = fewer
    }
    expect(needed.length).toBeLessThan(taken.length / 2)
    expect(isBroken(needed)).toBe(true)
  })

  test('without any choice nothing goes wrong', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { taken, violations, state } = runProtocol({ seed, faults: 'hell', only: new Set(), calm: true })
      expect(taken).toEqual([])
      expect(violations).toEqual([])
      expect(state.deadLetters).toEqual({})
      expect(new Set(Object.values(state.sagas).map(({ outcome }) => outcome))).toEqual(new Set(['completed']))
    }
  })

  test('takes about as many steps as it is asked for', () => {
    const steps = Array.from({ length: 50 }, (_, seed) => runProtocol({ seed, faults: 'mild', events: 1_000 }).steps)
    const mean = steps.reduce((sum, count) => sum + count, 0) / steps.length
    expect(mean).toBeGreaterThan(500)
    expect(mean).toBeLessThan(2_000)
  })
})
