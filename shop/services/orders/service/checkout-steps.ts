/** What a checkout asks of others, the same in all its versions. */
import type { inventory } from '@shop/inventory-contract'
import type { payments } from '@shop/payments-contract'
import { CallError } from 'skerry'
import type { Clients } from 'skerry/service'
import { z } from 'zod'

export const Money = z.object({ minor_units: z.int(), currency: z.enum(['EUR', 'GBP', 'USD']) })
export const Accepted = z.object({
  order_id: z.union([z.int(), z.string()]),
  lines: z.array(z.object({ sku: z.string(), quantity: z.int() })),
  total: Money,
  card: z.string(),
})

interface Asking {
  readonly input: z.output<typeof Accepted>
  readonly call: Clients<{ readonly inventory: typeof inventory; readonly payments: typeof payments }>
}

/** What costs nothing need not be paid. */
export const costsSomething = ({ input }: Pick<Asking, 'input'>): boolean => input.total.minor_units > 0

/** More than what payments waits for the provider. */
export const PAYMENT_TIMEOUT = '15s'
/** What is merely unreachable is asked for again this often. */
export const retry = { backoff: '500ms..1m' } as const

export const reserveStock = {
  run: ({ input: { order_id, lines }, call }: Asking) => call.inventory.reserveStock({ order_id, lines }),
  undo: ({ input: { order_id }, call }: Asking) => call.inventory.releaseReservation({ order_id }),
  retry,
}

export const authorizePayment = {
  when: costsSomething,
  run: ({ input: { order_id, total, card }, call }: Asking) => call.payments.authorizePayment({ order_id, amount: total, card }),
  undo: ({ input: { order_id }, call }: Asking) => call.payments.voidPayment({ order_id }),
  timeout: PAYMENT_TIMEOUT,
  retry,
} as const

export const commitStock = {
  async run({ input: { order_id, lines }, call }: Asking) {
    try {
      return await call.inventory.commitReservation({ order_id })
    } catch (error) {
      if (!(error instanceof CallError) || error.code !== 'reservationExpired') throw error
      // The payment took longer than the reservation lasts: once more, if there are still enough pieces.
      await call.inventory.reserveStock({ order_id, lines })
      return call.inventory.commitReservation({ order_id })
    }
  },
  undo: ({ input: { order_id }, call }: Asking) => call.inventory.restockReservation({ order_id }),
  retry,
}

export const capturePayment = {
  when: costsSomething,
  run: ({ input: { order_id }, call }: Asking) => call.payments.capturePayment({ order_id }),
  pivot: true,
  timeout: PAYMENT_TIMEOUT,
  retry,
} as const
