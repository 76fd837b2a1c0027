import { expect, test } from 'vitest'
import { runProtocol } from '../protocol/run-protocol.ts'
import { differences } from './end-state.ts'
import { DEFINITIONS } from './fixtures/services.ts'
import { begun, workloadOf } from './workload.ts'

test('a seed plans the same workload each time, and another one another', () => {
  expect(workloadOf(1, DEFINITIONS)).toEqual(workloadOf(1, DEFINITIONS))
  expect(workloadOf(2, DEFINITIONS)).not.toEqual(workloadOf(1, DEFINITIONS))
})

test('what comes of a workload does not depend on what goes wrong on the way', () => {
  for (let seed = 1; seed <= 120; seed++) {
    const workload = workloadOf(seed, DEFINITIONS)
    const calm = runProtocol({ seed, faults: 'mild', workload, only: new Set(), calm: true })
    expect(calm.violations).toEqual([])
    for (const faults of ['mild', 'rough', 'hell'] as const) {
      const { violations, state } = runProtocol({ seed, faults, workload })
      expect(violations, `seed ${seed}, ${faults}`).toEqual([])
      expect(differences({ on: 'without faults', state: calm.state }, { on: faults, state }), `seed ${seed}`).toEqual([])
    }
  }
})

test('of a workload that was begun only the first commands of each lane are given', () => {
  const workload = workloadOf(3, DEFINITIONS)
  const { lanes } = begun(workload, [2, 0, 8, 1])
  expect(lanes.map((lane) => lane.map(({ name }) => name))).toEqual([
    ['1.1', '1.2'],
    [],
    Array.from({ length: 8 }, (_, place) => `3.${place + 1}`),
    ['4.1'],
  ])
  const { state } = runProtocol({ seed: 3, faults: 'rough', workload: begun(workload, [0, 0, 0, 0]) })
  expect(state).toEqual({ handled: {}, deadLetters: {}, waiting: {}, sagas: {} })
})
