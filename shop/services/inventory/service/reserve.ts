/** Carries out a command on a reservation inside one transaction: locks it, decides, moves the pieces and says so to others. */
import type { Line, Shortage } from '@shop/inventory-contract'
import type { InventoryTransaction } from './expiry.ts'
import { expire, expireOf, HOLD_MS } from './expiry.ts'
import { fromText } from './id-text.ts'
import { lockStock, move } from './ledger.ts'
import { insertReservation, lockReservation, updateReservation } from './reservation-store.ts'
import type { Command, Refusal, ReservationState } from './reservation.ts'
import { areSame, decide, inOneLineEach } from './reservation.ts'

export type ReservationCommand =
  | { readonly command: 'reserve'; readonly orderId: string; readonly lines: readonly Line[]; readonly now: Date }
  | { readonly command: Exclude<Command, 'reserve'>; readonly orderId: string; readonly now: Date }

export type Outcome =
  | { readonly kind: 'done'; readonly state: ReservationState }
  | { readonly kind: 'differs' }
  | { readonly kind: 'refused'; readonly problem: Refusal; readonly state: ReservationState | undefined }

/** A refusal is an outcome and not an error, because what it leaves behind (an expiry, a rejection) is to be committed. */
export async function carryOut(open: InventoryTransaction, command: ReservationCommand): Promise<Outcome> {
  const { orderId, now } = command
  let state = await lockReservation(open.db, orderId)
  const lines = command.command === 'reserve' ? inOneLineEach(command.lines) : (state?.lines ?? [])
  let decision = decide(command.command, state, now)
  if (state !== undefined && decision.kind === 'expire') {
    await expire(open, orderId, now)
    state = { ...state, status: 'expired' }
    decision = decide(command.command, state, now)
  }
  // A tombstone has no lines: it is closed, whatever is asked for.
  if (command.command === 'reserve' && state !== undefined && state.lines.length > 0 && !areSame(lines, state.lines))
    return { kind: 'differs' }
  switch (decision.kind) {
    case 'refuse':
      return { kind: 'refused', problem: decision.problem, state }
    case 'again':
      return { kind: 'done', state: state! }
    case 'close':
      return { kind: 'done', state: await close(open, orderId, state, now) }
    case 'move':
      return decision.movement === 'reserved'
        ? reserve(open, { orderId, lines, state, now })
        : { kind: 'done', state: await settle(open, { orderId, movement: decision.movement, state: state!, now }) }
    case 'expire':
      throw new Error(`the reservation of order ${orderId} is overdue after it has been expired`)
  }
}

interface Request {
  readonly orderId: string
  readonly lines: readonly Line[]
  readonly state: ReservationState | undefined
  readonly now: Date
}

async function reserve(open: InventoryTransaction, { orderId, lines, state: earlier, now }: Request): Promise<Outcome> {
  const { db, emit } = open
  const skus = lines.map(({ sku }) => sku)
  await expireOf(open, skus, now)
  const stock = await lockStock(db, skus)
  const shortages: Shortage[] = lines.flatMap(({ sku, quantity }) => {
    const available = stock.get(sku)?.available ?? 0
    return available < quantity ? [{ sku, requested: quantity, available }] : []
  })
  const rejected = shortages.length > 0
  const expiresAt = new Date(now.getTime() + HOLD_MS)
  const next = {
    orderId,
    status: rejected ? ('rejected' as const) : ('reserved' as const),
    ...(rejected ? { shortages } : { expiresAt }),
    at: now,
  }
  if (earlier === undefined) await insertReservation(db, next, lines)
  else await updateReservation(db, next)
  const state = { status: next.status, lines, expiresAt: rejected ? null : expiresAt, shortages: rejected ? shortages : null }
  if (rejected) {
    emit.stockRejected({ order_id: fromText(orderId), shortages })
    return { kind: 'refused', problem: 'outOfStock', state }
  }
  const low = await move(db, { kind: 'reserved', lines, orderId, at: now })
  emit.stockReserved({ order_id: fromText(orderId), lines: [...lines], expires_at: expiresAt.toISOString() })
  for (const product of low) emit.stockLow(product)
  return { kind: 'done', state }
}

interface Settlement {
  readonly orderId: string
  readonly movement: 'committed' | 'released' | 'restocked'
  readonly state: ReservationState
  readonly now: Date
}

async function settle({ db, emit }: InventoryTransaction, { orderId, movement, state, now }: Settlement): Promise<ReservationState> {
  const { lines } = state
  await lockStock(
    db,
    lines.map(({ sku }) => sku),
  )
  await updateReservation(db, { orderId, status: movement, at: now })
  await move(db, { kind: movement, lines, orderId, at: now })
  if (movement === 'committed') emit.stockCommitted({ order_id: fromText(orderId), lines: [...lines] })
  else emit.stockReleased({ order_id: fromText(orderId), lines: [...lines], reason: movement })
  return { ...state, status: movement }
}

/** Nothing is reserved, and nothing will be. */
async function close(
  { db }: InventoryTransaction,
  orderId: string,
  state: ReservationState | undefined,
  now: Date,
): Promise<ReservationState> {
  const closed = { orderId, status: 'released' as const, at: now }
  if (state === undefined) await insertReservation(db, closed, [])
  else await updateReservation(db, closed)
  return { lines: [], expiresAt: null, shortages: null, ...state, status: 'released' }
}
