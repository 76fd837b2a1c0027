/** A cart as clients see it. */
import { z } from 'zod'

export const CartId = z.uuid().toLowerCase()

const Id = z.union([z.int(), z.uuid().toLowerCase()], { error: 'expected an integer or a UUID' })

/** An integer or a UUID. */
export const UserId = Id
export const OrderId = Id

export const Sku = z
  .string()
  .max(40)
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'expected lower-case words joined by "-"')

/** 1299 minor units are 12.99. */
export const Money = z.object({ minor_units: z.int().min(0), currency: z.enum(['EUR', 'GBP', 'USD']) })
export type Money = z.output<typeof Money>

const Item = z.object({
  sku: Sku,
  name: z.string(),
  quantity: z.int().min(1),
  unit_price: Money.meta({ description: 'What the customer has been shown when it was put in' }),
  current_price: Money.meta({ description: 'What it costs now: where it differs, checkout is refused until the item is put in again' }),
  discontinued: z.boolean(),
})
export type Item = z.output<typeof Item>

export const Cart = z.object({
  id: CartId,
  user_id: UserId.nullable().meta({ description: 'Null for a guest' }),
  status: z.enum(['open', 'checking-out', 'checked-out', 'merged']),
  items: z.array(Item),
  total: Money.nullable().meta({ description: 'Of all items at the prices shown; null when there are none' }),
  order_id: OrderId.nullable(),
})
export type Cart = z.output<typeof Cart>

export const PriceChange = z.object({ sku: Sku, shown: Money, now: Money })
