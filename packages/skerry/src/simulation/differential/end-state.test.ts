import { expect, test } from 'vitest'
import { SAGAS } from '../protocol/saga-shapes.ts'
import type { EndState, SagaFacts } from './end-state.ts'
import { differences, sagaEnd } from './end-state.ts'

const [purchase, transfer] = SAGAS
const facts: SagaFacts = { status: 'completed', failure: undefined, parkedBecause: undefined, inEffect: [], undone: [] }
const refused = (step: string): SagaFacts['failure'] => ({ reason: 'refused', step, message: '' })
const compensated = sagaEnd(purchase!, { ...facts, status: 'compensated', failure: refused('pay'), undone: ['note', 'reserve'] })
const state: EndState = {
  handled: { 'stock: orders/a': ['1.1', '1.2'], 'stock: orders/saga-7': ['saga-7 note'], 'billing: orders/saga-7': ['saga-7 note'] },
  deadLetters: { 'stock: orders/b': ['1.3 rejected'] },
  waiting: { 'stock: orders/b': ['1.4'] },
  sagas: { 7: compensated },
}

test('what is the same has no differences, in whichever order it was found', () => {
  const handled = Object.fromEntries(Object.entries(state.handled).toReversed())
  expect(differences({ on: 'one', state }, { on: 'other', state: { ...state, handled } })).toEqual([])
})

test('a difference says where it is and what either has', () => {
  const other: EndState = {
    handled: { ...state.handled, 'stock: orders/a': ['1.1', '1.2', '1.2'] },
    deadLetters: {},
    waiting: { 'stock: orders/b': ['1.4', '1.5'] },
    sagas: { 7: { ...compensated, undone: ['reserve', 'note'] }, 8: sagaEnd(purchase!, { ...facts, inEffect: ['ship', 'pay'] }) },
  }
  expect(differences({ on: 'in memory', state }, { on: 'in SQL', state: other }).join('\n')).toBe(
    `stock: orders/a handled
    in memory: 1.1, 1.2
    in SQL: 1.1, 1.2, 1.2
stock: orders/b has dead letters
    in memory: 1.3 rejected
    in SQL: nothing
stock: orders/b has waiting
    in memory: 1.4
    in SQL: 1.4, 1.5
saga 7
    in memory: compensated, refused at pay; in effect: nothing; undone: note, reserve
    in SQL: compensated, refused at pay; in effect: nothing; undone: reserve, note
saga 8
    in memory: never started
    in SQL: completed; in effect: pay, ship; undone: nothing`,
  )
})

test('of steps side by side it does not matter which is undone first, nor whether the one beside the failed one was', () => {
  const later: SagaFacts = { ...facts, status: 'compensated', failure: refused('book') }
  expect(sagaEnd(transfer!, { ...later, undone: ['check', 'hold'] })).toEqual(sagaEnd(transfer!, { ...later, undone: ['hold', 'check'] }))
  const beside: SagaFacts = { ...facts, status: 'compensated', failure: refused('check') }
  expect(sagaEnd(transfer!, { ...beside, undone: ['hold'] })).toEqual(sagaEnd(transfer!, beside))
  expect(sagaEnd(purchase!, { ...facts, undone: ['reserve', 'note'] })).not.toEqual(
    sagaEnd(purchase!, { ...facts, undone: ['note', 'reserve'] }),
  )
})

test('a saga that was given up because whoever worked on it was lost is left out, with its events and what follows from them', () => {
  const message = 'whoever worked on it was lost 5 times in a row before anything came of it'
  const givenUp = sagaEnd(purchase!, { ...facts, status: 'compensated', failure: { reason: 'exhausted', step: 'note', message } })
  const other: EndState = {
    ...state,
    handled: { 'stock: orders/a': ['1.1', '1.2'], 'stock: billing/re-saga-7': ['re saga-7 note'] },
    sagas: { 7: givenUp },
  }
  expect(differences({ on: 'one', state }, { on: 'other', state: other })).toEqual([])
  const parked = sagaEnd(purchase!, { ...facts, status: 'parked', parkedBecause: `The step "ship" cannot go on: ${message}` })
  expect(differences({ on: 'one', state: { ...other, sagas: { 7: parked } } }, { on: 'other', state })).toEqual([])
})
