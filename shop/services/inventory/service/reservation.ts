/**
 * What a command means for a reservation, decided from its state and the time alone.
 *
 *     (none) ── reserve ──▶ reserved ── commit ──▶ committed ── restock ──▶ restocked
 *        │  └─ reserve ──▶ rejected      │ └─ in time's course ──▶ expired ── reserve ──▶ reserved
 *        └── release, restock ──▶ released ◀── release, restock ── reserved, expired
 *
 * Every command may come again, late, or before the one that it undoes: what is released stays released, so a reservation that arrives
 * after its own release is refused.
 */
import type { Line, Reservation, Shortage } from '@shop/inventory-contract'

export interface ReservationState {
  readonly status: Reservation['status']
  readonly lines: readonly Line[]
  readonly expiresAt: Date | null
  readonly shortages: readonly Shortage[] | null
}

export type Command = 'reserve' | 'commit' | 'release' | 'restock'

export type Decision =
  /** Move the pieces by this kind of movement, and remember the status. */
  | { readonly kind: 'move'; readonly movement: 'reserved' | 'committed' | 'released' | 'restocked' }
  /** The time has run out, and nobody has noticed yet: give the pieces back, then look again. */
  | { readonly kind: 'expire' }
  /** No piece is touched, but what comes later must know. */
  | { readonly kind: 'close' }
  /** It was done before. */
  | { readonly kind: 'again' }
  | { readonly kind: 'refuse'; readonly problem: Refusal }

export type Refusal = 'reservationNotFound' | 'reservationExpired' | 'reservationClosed' | 'reservationCommitted' | 'outOfStock'

export function decide(command: Command, state: ReservationState | undefined, now: Date): Decision {
  const status = state?.status ?? 'none'
  const overdue = state?.status === 'reserved' && state.expiresAt !== null && state.expiresAt <= now
  switch (command) {
    case 'reserve':
      if (overdue) return { kind: 'expire' }
      if (status === 'none' || status === 'expired') return { kind: 'move', movement: 'reserved' }
      if (status === 'rejected') return refuse('outOfStock')
      return status === 'reserved' || status === 'committed' ? { kind: 'again' } : refuse('reservationClosed')
    case 'commit':
      if (overdue) return { kind: 'expire' }
      if (status === 'reserved') return { kind: 'move', movement: 'committed' }
      if (status === 'committed') return { kind: 'again' }
      if (status === 'expired') return refuse('reservationExpired')
      return refuse(status === 'none' ? 'reservationNotFound' : 'reservationClosed')
    case 'release':
      if (status === 'committed') return refuse('reservationCommitted')
      return undo(status)
    case 'restock':
      return status === 'committed' ? { kind: 'move', movement: 'restocked' } : undo(status)
  }
}

function undo(status: Reservation['status'] | 'none'): Decision {
  if (status === 'reserved') return { kind: 'move', movement: 'released' }
  return status === 'none' || status === 'expired' ? { kind: 'close' } : { kind: 'again' }
}

function refuse(problem: Refusal): Decision {
  return { kind: 'refuse', problem }
}

/** What is asked for, each product once, in the order in which stock is locked. */
export function inOneLineEach(lines: readonly Line[]): readonly Line[] {
  const quantities = new Map<string, number>()
  for (const { sku, quantity } of lines) quantities.set(sku, (quantities.get(sku) ?? 0) + quantity)
  return [...quantities].map(([sku, quantity]) => ({ sku, quantity })).toSorted((a, b) => (a.sku < b.sku ? -1 : 1))
}

export function areSame(a: readonly Line[], b: readonly Line[]): boolean {
  return a.length === b.length && a.every(({ sku, quantity }, index) => b[index]?.sku === sku && b[index].quantity === quantity)
}
