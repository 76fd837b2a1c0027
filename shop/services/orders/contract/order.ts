/** An order as clients send it and get it back. */
import { secret } from 'skerry/contract'
import { z } from 'zod'

const Id = z.union([z.int(), z.uuid().toLowerCase()], { error: 'expected an integer or a UUID' })

/** An integer or a UUID (in any case) of the client's choice, else a UUID of ours. */
export const OrderId = Id
export const UserId = Id

const Sku = z
  .string()
  .max(40)
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'expected lower-case words joined by "-"')

/** 1299 minor units are 12.99. */
const Money = z.object({ minor_units: z.int().min(0), currency: z.enum(['EUR', 'GBP', 'USD']) })

const RequestedLine = z.object({ sku: Sku, quantity: z.int().min(1).max(1_000) })

/** Lines, or in short a `product` of which one piece is ordered. */
export const NewOrder = z
  .object({
    id: OrderId.optional(),
    user_id: UserId,
    lines: z.array(RequestedLine).min(1).max(100).optional(),
    product: Sku.optional(),
    card: z
      .string()
      .min(1)
      .max(100)
      .optional()
      .meta({
        ...secret,
        description: 'The card to pay with, as a token of the payment provider. Default: its test card',
      }),
    amount: z.number().min(0).optional().meta({
      description: 'What the client has been shown as the price of it all, such as 12.99: if it costs anything else now, it is not ordered',
    }),
  })
  .refine(({ lines, product }) => (lines === undefined) !== (product === undefined), {
    path: ['lines'],
    message: 'expected either lines or a product',
  })
export type NewOrder = z.output<typeof NewOrder>

const OrderLine = RequestedLine.extend({ name: z.string(), unit_price: Money })
export type OrderLine = z.output<typeof OrderLine>

export const Order = z.object({
  id: OrderId,
  user_id: UserId,
  product: z.string().meta({ description: 'All lines in one, such as "2 mug, 1 teapot"; of a single piece just its sku' }),
  amount: z.number().meta({ description: 'The total as people write it, such as 12.99' }),
  lines: z.array(OrderLine),
  total: Money,
  status: z.enum(['placed', 'confirmed', 'cancelled', 'refunded']).meta({
    description: 'Placed: accepted, and not yet paid. Then confirmed, once it is paid and its pieces have left the warehouse, or cancelled',
  }),
  reason: z.string().nullable().meta({ description: 'Why it was cancelled or refunded: outOfStock, paymentDeclined, customer, …' }),
  placed_at: z.iso.datetime(),
})
export type Order = z.output<typeof Order>

export const OrderHistory = z.object({
  order: Order.meta({ description: 'What it was after the last of them' }),
  happened: z.array(
    z.object({
      version: z.int().min(1).meta({ description: 'From 1, without gaps' }),
      what: z.enum([
        'placed',
        'stockReserved',
        'stockReleased',
        'stockCommitted',
        'stockRestocked',
        'paymentAuthorized',
        'paymentVoided',
        'paymentCaptured',
        'paymentRefunded',
        'calledOff',
        'confirmed',
        'cancelled',
        'refunded',
      ]),
      at: z.iso.datetime(),
    }),
  ),
})
export type OrderHistory = z.output<typeof OrderHistory>
