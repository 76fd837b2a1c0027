/**
 * What inventory promises: pieces are sold only while there are some, and those that an order has reserved wait for it, but not for ever.
 * Commands on reservations are repeatable by the order they name, whatever Idempotency-Key they come with: a repetition is told how things
 * stand, and even a refusal is remembered with what it did.
 */
import { contract, event, get, post, problem } from 'skerry/contract'
import { z } from 'zod'
import { Adjustment, Lines, OrderId, Reservation, Shortage, Sku, Stock } from './stock.ts'

export type { Line, Reservation, Shortage, Stock } from './stock.ts'

const OfOrder = z.object({ order_id: OrderId })
const closed = problem(409, 'The reservation is closed', z.object({ status: Reservation.shape.status }))

export const inventory = contract('inventory', {
  version: '1.0.0',
  owner: 'warehouse team',
  description: 'How many pieces there are, and for whom',
  operations: {
    getStock: get('/stock/{sku}', {
      summary: 'How many pieces of a product there are, and how many of them nobody has reserved',
      input: z.object({ sku: Sku }),
      output: Stock,
      errors: { stockNotFound: problem(404, 'Stock not found') },
      deadline: '1s',
      public: true,
    }),
    adjustStock: post('/stock/{sku}/adjustments', {
      summary: 'Pieces have arrived (or, below zero, are missing); with an id or an Idempotency-Key, repeating it changes nothing',
      input: Adjustment,
      output: Stock,
      errors: {
        notEnoughStock: problem(409, 'There are fewer pieces than that which nobody has reserved', z.object({ available: z.int() })),
        adjustmentExists: problem(409, 'Another adjustment has this id or Idempotency-Key'),
      },
    }),
    reserveStock: post('/reservations', {
      summary: 'Reserve all lines of an order, or nothing; asked again, it answers the same reservation',
      input: z.object({ order_id: OrderId, lines: Lines }),
      output: Reservation,
      errors: {
        outOfStock: problem(409, 'Not enough stock', z.object({ shortages: z.array(Shortage) })),
        reservationDiffers: problem(409, 'The order has reserved something else'),
        reservationClosed: closed,
      },
      idempotent: true,
    }),
    getReservation: get('/reservations/{order_id}', {
      summary: 'What an order has reserved',
      input: OfOrder,
      output: Reservation,
      errors: { reservationNotFound: problem(404, 'Reservation not found') },
    }),
    commitReservation: post('/reservations/{order_id}/commit', {
      summary: 'The reserved pieces leave the warehouse',
      input: OfOrder,
      output: Reservation,
      errors: {
        reservationNotFound: problem(404, 'Reservation not found'),
        reservationExpired: problem(409, 'The reservation has expired: reserve again'),
        reservationClosed: closed,
      },
      idempotent: true,
    }),
    releaseReservation: post('/reservations/{order_id}/release', {
      summary: 'The order needs nothing any more; a reservation that arrives later is refused',
      input: OfOrder,
      output: Reservation,
      errors: { reservationCommitted: problem(409, 'The pieces have left the warehouse: restock them') },
      idempotent: true,
    }),
    restockReservation: post('/reservations/{order_id}/restock', {
      summary: 'Undo a commit: the pieces are back; where nothing was committed it releases',
      input: OfOrder,
      output: Reservation,
      idempotent: true,
    }),
    expireReservations: post('/reservations/expire', {
      summary: 'Give back what was reserved for too long, at once: the service does so every minute by itself',
      input: z.object({ limit: z.int().min(1).max(1_000).default(100) }),
      output: z.object({ expired: z.int() }),
      idempotent: true,
    }),
  },
  events: {
    stockReserved: event(z.object({ order_id: OrderId, lines: Lines, expires_at: z.iso.datetime() }), { key: 'order_id' }),
    stockRejected: event(z.object({ order_id: OrderId, shortages: z.array(Shortage) }), { key: 'order_id' }),
    stockCommitted: event(z.object({ order_id: OrderId, lines: Lines }), { key: 'order_id' }),
    stockReleased: event(z.object({ order_id: OrderId, lines: Lines, reason: z.enum(['released', 'expired', 'restocked']) }), {
      key: 'order_id',
    }),
    stockLow: event(Stock, { key: 'sku', summary: 'Fewer pieces are left than there should be' }),
  },
})
