/**
 * The history of one order, and what the order is after it. Both are of this service alone: others are told what they may rely on by the
 * events of the contract, in the same transaction.
 */
import type { Order } from '@shop/orders-contract'
import { storedEvent, stream } from 'skerry'
import type { EventsOf, StreamEvent } from 'skerry/service'
import { z } from 'zod'

const Money = z.object({ minor_units: z.int(), currency: z.enum(['EUR', 'GBP', 'USD']) })
/** What was agreed, which never changes. Whose card paid, and under which key it was asked for, is nobody's business in thirty years. */
const Terms = z.object({
  user_id: z.string(),
  lines: z.array(z.object({ sku: z.string(), quantity: z.int(), name: z.string(), unit_price: Money })),
  total: Money,
  placed_at: z.iso.datetime(),
})
export type Terms = z.output<typeof Terms>

const Nothing = z.object({})
const Because = z.object({ reason: z.string() })

export interface OrderState {
  readonly status: 'none' | Order['status']
  /** Undefined before it is placed. */
  readonly terms: Terms | undefined
  /** Why it was cancelled or refunded. */
  readonly reason: string | null
  readonly stock: 'none' | 'reserved' | 'committed'
  readonly payment: 'none' | 'authorized' | 'captured'
  /** The customer does not want it any more. */
  readonly isCalledOff: boolean
}

const unplaced: OrderState = { status: 'none', terms: undefined, reason: null, stock: 'none', payment: 'none', isCalledOff: false }

export const order = stream('order', {
  events: {
    placed: storedEvent(Terms),
    stockReserved: storedEvent(Nothing),
    stockReleased: storedEvent(Nothing),
    stockCommitted: storedEvent(Nothing),
    stockRestocked: storedEvent(Nothing),
    paymentAuthorized: storedEvent(Nothing),
    paymentVoided: storedEvent(Nothing),
    paymentCaptured: storedEvent(Nothing),
    paymentRefunded: storedEvent(Nothing),
    calledOff: storedEvent(Nothing),
    confirmed: storedEvent(Nothing),
    cancelled: storedEvent(Because),
    refunded: storedEvent(Because),
  },
  initial: unplaced,
  evolve(state, event) {
    switch (event.type) {
      case 'placed':
        return { ...state, status: 'placed', terms: event.data }
      case 'stockReserved':
        return { ...state, stock: 'reserved' }
      case 'stockCommitted':
        return { ...state, stock: 'committed' }
      case 'stockReleased':
      case 'stockRestocked':
        return { ...state, stock: 'none' }
      case 'paymentAuthorized':
        return { ...state, payment: 'authorized' }
      case 'paymentCaptured':
        return { ...state, payment: 'captured' }
      case 'paymentVoided':
      case 'paymentRefunded':
        return { ...state, payment: 'none' }
      case 'calledOff':
        return { ...state, isCalledOff: true }
      case 'confirmed':
        return { ...state, status: 'confirmed' }
      case 'cancelled':
      case 'refunded':
        return { ...state, status: event.type, reason: event.data.reason }
    }
  },
})

export type OrderEvent = StreamEvent<EventsOf<typeof order>>
