/** Stock and reservations as clients see them. */
import { z } from 'zod'

export const Sku = z
  .string()
  .max(40)
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'expected lower-case words joined by "-"')

/** An integer or a UUID, as orders are named. */
export const OrderId = z.union([z.int(), z.uuid().toLowerCase()], { error: 'expected an integer or a UUID' })

const Line = z.object({ sku: Sku, quantity: z.int().min(1).max(100_000) })
export type Line = z.output<typeof Line>

export const Lines = z.array(Line).min(1).max(100)

export const Stock = z.object({
  sku: Sku,
  on_hand: z.int().meta({ description: 'Pieces in the warehouse' }),
  reserved: z.int().meta({ description: 'Those of them that orders have reserved' }),
  available: z.int().meta({ description: 'The others' }),
})
export type Stock = z.output<typeof Stock>

export const Adjustment = z.object({
  sku: Sku,
  id: z.uuid().toLowerCase().optional(),
  quantity: z
    .int()
    .min(-1_000_000)
    .max(1_000_000)
    .refine((quantity) => quantity !== 0, 'expected more or less than zero'),
  reason: z
    .string()
    .min(1)
    .max(200)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'expected one line of text'),
})

/** A line that cannot be had in full. */
export const Shortage = z.object({ sku: Sku, requested: z.int(), available: z.int() })
export type Shortage = z.output<typeof Shortage>

export const Reservation = z.object({
  order_id: OrderId,
  status: z.enum(['reserved', 'rejected', 'committed', 'released', 'expired', 'restocked']),
  lines: z.array(Line),
  expires_at: z.iso.datetime().nullable().meta({ description: 'Until when a reservation that is not committed holds' }),
})
export type Reservation = z.output<typeof Reservation>
