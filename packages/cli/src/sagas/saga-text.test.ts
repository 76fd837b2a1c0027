import { expect, test } from 'vitest'
import { sagaLines } from './saga-text.ts'

const saga = {
  id: '019b76da-a800-7000-8000-000000000001',
  service: 'orders',
  name: 'checkout',
  version: 2,
  status: 'waiting',
  isKnown: true,
  at: ['picked'],
  parkedBecause: null,
  wait: { type: 'stock.picked.v1', key: 'a' },
  startedAt: new Date(0).toISOString(),
  endedAt: null,
  nextAt: null,
} as const

test('a saga of which the code is not here says so, unless it has ended', () => {
  expect(sagaLines(saga, 60_000)).toMatch(/v2 {2}waiting at picked .*\n {4}waits for stock\.picked\.v1 of key a$/)
  expect(sagaLines({ ...saga, isKnown: false }, 60_000)).toMatch(/\n {4}The code of checkout version 2 is not here: .* a host that has it$/)
  const ended = { ...saga, isKnown: false, status: 'completed', wait: null, endedAt: saga.startedAt } as const
  expect(sagaLines(ended, 60_000)).not.toContain('\n')
})
