import { expect, test } from 'vitest'
import type { Command, Decision, ReservationState } from './reservation.ts'
import { areSame, decide, inOneLineEach } from './reservation.ts'

const now = new Date('2026-01-01T12:00:00Z')
const state = (status: ReservationState['status'], expiresAt: Date | null = new Date('2026-01-01T12:15:00Z')): ReservationState => ({
  status,
  lines: [{ sku: 'mug', quantity: 1 }],
  expiresAt,
  shortages: null,
})
const move = (movement: 'reserved' | 'committed' | 'released' | 'restocked'): Decision => ({ kind: 'move', movement })
const again: Decision = { kind: 'again' }
const close: Decision = { kind: 'close' }
const refuse = (problem: string) => ({ kind: 'refuse', problem })

test.each<[Command, ReservationState['status'] | 'none', object]>([
  ['reserve', 'none', move('reserved')],
  ['reserve', 'reserved', again],
  ['reserve', 'committed', again],
  ['reserve', 'expired', move('reserved')],
  ['reserve', 'rejected', refuse('outOfStock')],
  ['reserve', 'released', refuse('reservationClosed')],
  ['reserve', 'restocked', refuse('reservationClosed')],
  ['commit', 'none', refuse('reservationNotFound')],
  ['commit', 'reserved', move('committed')],
  ['commit', 'committed', again],
  ['commit', 'expired', refuse('reservationExpired')],
  ['commit', 'rejected', refuse('reservationClosed')],
  ['commit', 'released', refuse('reservationClosed')],
  ['commit', 'restocked', refuse('reservationClosed')],
  ['release', 'none', close],
  ['release', 'reserved', move('released')],
  ['release', 'committed', refuse('reservationCommitted')],
  ['release', 'expired', close],
  ['release', 'rejected', again],
  ['release', 'released', again],
  ['release', 'restocked', again],
  ['restock', 'none', close],
  ['restock', 'reserved', move('released')],
  ['restock', 'committed', move('restocked')],
  ['restock', 'expired', close],
  ['restock', 'rejected', again],
  ['restock', 'released', again],
  ['restock', 'restocked', again],
])('%s, when it is %s', (command, status, decision) => {
  expect(decide(command, status === 'none' ? undefined : state(status), now)).toEqual(decision)
})

test.each<[Command, Decision['kind']]>([
  ['reserve', 'expire'],
  ['commit', 'expire'],
  ['release', 'move'],
  ['restock', 'move'],
])('%s, when the time has run out but nobody has noticed', (command, kind) => {
  expect(decide(command, state('reserved', now), now).kind).toBe(kind)
})

test('a product asked for twice is one line, and the order of lines does not count', () => {
  const lines = inOneLineEach([
    { sku: 'tea', quantity: 1 },
    { sku: 'mug', quantity: 2 },
    { sku: 'tea', quantity: 3 },
  ])
  expect(lines).toEqual([
    { sku: 'mug', quantity: 2 },
    { sku: 'tea', quantity: 4 },
  ])
  expect(areSame(lines, [...lines])).toBe(true)
  expect(areSame(lines, lines.slice(1))).toBe(false)
  expect(areSame(lines, [lines[0]!, { sku: 'tea', quantity: 5 }])).toBe(false)
})
