/** A guest logs in: his cart becomes the user's, or comes into the one that the user has already. */
import type { Cart } from '@shop/cart-contract'
import { lockCart, toCart, updateCart } from './cart-store.ts'
import { lockOwner } from './owners.ts'
import type { CartDatabase, CartRow } from './tables.ts'

export type Merge =
  | { readonly kind: 'merged'; readonly cart: Cart }
  | { readonly kind: 'not found' }
  | { readonly kind: 'closed'; readonly status: Cart['status'] }
  | { readonly kind: 'several currencies' }

const MOST_PIECES = 1_000

export async function merge(db: CartDatabase, id: string, userId: string, now: Date): Promise<Merge> {
  const owner = await lockOwner(db, userId)
  const guest = await lockCart(db, id)
  // Somebody else's cart is as good as none, and who was erased has none.
  if (owner === 'erased' || guest === undefined || (guest.user_id !== null && guest.user_id !== userId)) return { kind: 'not found' }
  if (guest.status === 'merged') {
    const target = await lockCart(db, guest.merged_into!)
    return { kind: 'merged', cart: await toCart(db, target!) }
  }
  if (guest.user_id === userId) return { kind: 'merged', cart: await toCart(db, guest) }
  if (guest.status !== 'open') return { kind: 'closed', status: guest.status }
  const own = await db
    .selectFrom('carts')
    .selectAll()
    .where('user_id', '=', userId)
    .where('status', 'in', ['open', 'checking-out'])
    .forUpdate()
    .executeTakeFirst()
  if (own === undefined) return { kind: 'merged', cart: await toCart(db, await updateCart(db, id, { user_id: userId, changed_at: now })) }
  if (own.status !== 'open') return { kind: 'closed', status: own.status }
  return bringInto(db, own, guest, now)
}

async function bringInto(db: CartDatabase, own: CartRow, guest: CartRow, now: Date): Promise<Merge> {
  const items = await db.selectFrom('items').selectAll().where('cart_id', 'in', [own.id, guest.id]).execute()
  if (new Set(items.map(({ currency }) => currency)).size > 1) return { kind: 'several currencies' }
  for (const item of items.filter(({ cart_id }) => cart_id === guest.id)) {
    const there = items.find(({ cart_id, sku }) => cart_id === own.id && sku === item.sku)
    // Of two prices that he has been shown, the later one counts.
    const latest = there !== undefined && there.version > item.version ? there : item
    const brought = { ...latest, cart_id: own.id, quantity: Math.min(MOST_PIECES, item.quantity + (there?.quantity ?? 0)) }
    await db
      .insertInto('items')
      .values(brought)
      .onConflict((conflict) => conflict.columns(['cart_id', 'sku']).doUpdateSet(brought))
      .execute()
  }
  await updateCart(db, guest.id, { status: 'merged', user_id: own.user_id, merged_into: own.id, changed_at: now })
  return { kind: 'merged', cart: await toCart(db, await updateCart(db, own.id, { changed_at: now })) }
}
