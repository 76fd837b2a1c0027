/** What follows for an order, by what it is: pure, and all that may ever be added to its history. */
import type { OrderEvent, OrderState } from './order-stream.ts'

export type Decide = (state: OrderState) => readonly OrderEvent[]

/** A step of the checkout has been done. */
export const note =
  (type: 'stockReserved' | 'paymentAuthorized' | 'stockCommitted'): Decide =>
  () => [{ type, data: {} }]

export const callOff: Decide = ({ isCalledOff }) => (isCalledOff ? [] : [{ type: 'calledOff', data: {} }])

/** Version 1 of the checkout took no notes on its way: what they would have said is said here. */
export const confirm: Decide = (state) => {
  expectStatus(state, 'placed', 'confirmed')
  return [
    ...(state.stock === 'committed' ? [] : [{ type: 'stockCommitted', data: {} } as const]),
    ...(costsNothing(state) ? [] : [{ type: 'paymentCaptured', data: {} } as const]),
    { type: 'confirmed', data: {} },
  ]
}

/** All that was done for it has been undone. */
export const cancel =
  (reason: string): Decide =>
  (state) => {
    expectStatus(state, 'placed', 'cancelled')
    return [
      ...(state.payment === 'none' ? [] : [{ type: 'paymentVoided', data: {} } as const]),
      ...(state.stock === 'none' ? [] : [{ type: state.stock === 'reserved' ? 'stockReleased' : 'stockRestocked', data: {} } as const]),
      { type: 'cancelled', data: { reason } },
    ]
  }

export const refund =
  (reason: string): Decide =>
  (state) => {
    expectStatus(state, 'confirmed', 'refunded')
    return [
      ...(costsNothing(state) ? [] : [{ type: 'paymentRefunded', data: {} } as const]),
      { type: 'stockRestocked', data: {} },
      { type: 'refunded', data: { reason } },
    ]
  }

function costsNothing({ terms }: OrderState): boolean {
  return terms?.total.minor_units === 0
}

/** The saga sees to it. If it ever does not, its step fails where a person sees it, and the history stays true. */
function expectStatus({ status }: OrderState, expected: OrderState['status'], next: string): void {
  if (status !== expected) throw new Error(`An order that is ${status} cannot be ${next}`)
}
