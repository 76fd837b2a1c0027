/**
 * The first half of a checkout, in one transaction: is there something to order, at prices the customer has seen? Then the cart is closed
 * to changes and gets the id of its order, before orders is asked: whatever is lost after that, asking again orders nothing more.
 */
import type { Cart, Money } from '@shop/cart-contract'
import type { VersionedItem } from './cart-store.ts'
import { fromText, itemsOf, lockCart, updateCart } from './cart-store.ts'
import { deleteUnordered, lockOwner } from './owners.ts'
import type { CartDatabase } from './tables.ts'

export interface Ordering {
  readonly orderId: string
  readonly userId: number | string
  readonly lines: { sku: string; quantity: number }[]
  readonly total: Money
}

export interface PriceChange {
  readonly sku: string
  readonly shown: Money
  readonly now: Money
}

export type Beginning =
  | { readonly kind: 'begun'; readonly ordering: Ordering; readonly isDone: boolean }
  | { readonly kind: 'not found' }
  | { readonly kind: 'empty' }
  | { readonly kind: 'guest' }
  | { readonly kind: 'closed'; readonly status: Cart['status'] }
  | { readonly kind: 'gone'; readonly skus: string[] }
  | { readonly kind: 'changed'; readonly changes: PriceChange[] }

export async function begin(db: CartDatabase, id: string, newId: () => string, now: Date): Promise<Beginning> {
  const cart = await lockCart(db, id)
  if (cart === undefined) return { kind: 'not found' }
  if (cart.status === 'merged') return { kind: 'closed', status: cart.status }
  if (cart.user_id === null) return { kind: 'guest' }
  const items = await itemsOf(db, id)
  const [first] = items
  if (first === undefined) return { kind: 'empty' }
  const ordering = {
    userId: fromText(cart.user_id),
    lines: items.map(({ sku, quantity }) => ({ sku, quantity })),
    total: {
      minor_units: items.reduce((sum, { quantity, unit_price }) => sum + quantity * unit_price.minor_units, 0),
      currency: first.unit_price.currency,
    },
  }
  if (cart.order_id !== null)
    return { kind: 'begun', ordering: { ...ordering, orderId: cart.order_id }, isDone: cart.status === 'checked-out' }
  const gone = items.filter(({ discontinued }) => discontinued)
  if (gone.length > 0) return { kind: 'gone', skus: gone.map(({ sku }) => sku) }
  const changes = changesIn(items)
  if (changes.length > 0) return { kind: 'changed', changes }
  const orderId = newId()
  await updateCart(db, id, { status: 'checking-out', order_id: orderId, changed_at: now })
  return { kind: 'begun', ordering: { ...ordering, orderId }, isDone: false }
}

/** Prices that the customer has not seen. */
export function changesIn(items: readonly VersionedItem[]): PriceChange[] {
  return items
    .filter(({ seenVersion, currentVersion }) => seenVersion !== currentVersion)
    .map(({ sku, unit_price, current_price }) => ({ sku, shown: unit_price, now: current_price }))
}

/** Orders has said no, so nothing was ordered, and the cart is the customer's again; it is deleted when he has been erased meanwhile. */
export async function reopen(db: CartDatabase, id: string, userId: string, now: Date): Promise<void> {
  const owner = await lockOwner(db, userId)
  const cart = await lockCart(db, id)
  if (cart?.status === 'checking-out') await updateCart(db, id, { status: 'open', order_id: null, changed_at: now })
  if (owner === 'erased') await deleteUnordered(db, userId)
}
