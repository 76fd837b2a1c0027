/** A payment as clients see it. There is one for each order, and it is named by the order. */
import { secret } from 'skerry/contract'
import { z } from 'zod'

/** An integer or a UUID, as orders are named. */
export const OrderId = z.union([z.int(), z.uuid().toLowerCase()], { error: 'expected an integer or a UUID' })

/** 1299 minor units are 12.99. */
export const Money = z.object({ minor_units: z.int().min(1).max(100_000_000_000), currency: z.enum(['EUR', 'GBP', 'USD']) })
export type Money = z.output<typeof Money>

/** What the provider gives a browser for a card: no card number reaches the shop. */
export const CardToken = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,100}$/, 'expected the token of a card')
  .meta(secret)

/** Names a refund among those of its order. */
export const RefundId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected letters, digits, "_" and "-"')

export const Payment = z.object({
  order_id: OrderId,
  status: z.enum(['authorizing', 'authorized', 'declined', 'capturing', 'captured', 'voiding', 'voided']).meta({
    description: 'The words in -ing: the provider has been asked, and has not answered yet',
  }),
  amount: Money.nullable().meta({ description: 'Null where the payment was voided before anybody asked for it' }),
  captured: z.int().meta({ description: 'Minor units that have been charged' }),
  refunded: z.int().meta({ description: 'Minor units that have been given back' }),
  reason: z.string().nullable().meta({ description: 'Why it was declined, in the words of the provider' }),
})
export type Payment = z.output<typeof Payment>
