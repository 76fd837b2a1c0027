/**
 * Whose carts these are, and what becomes of them when he is erased: what he had not ordered is deleted. What he has ordered, or is ordering,
 * stays with its order, under an id that leads to nobody.
 */
import type { CartDatabase } from './tables.ts'

/** Until the transaction ends he is neither erased nor given a cart by another. To be done before carts are locked. */
export async function lockOwner(db: CartDatabase, userId: string): Promise<'known' | 'erased'> {
  const { is_erased } = await db
    .insertInto('owners')
    .values({ user_id: userId, is_erased: false })
    .onConflict((conflict) => conflict.column('user_id').doUpdateSet({ user_id: userId }))
    .returning('is_erased')
    .executeTakeFirstOrThrow()
  return is_erased ? 'erased' : 'known'
}

/** For good: he gets no cart any more. */
export async function eraseOwner(db: CartDatabase, userId: string): Promise<void> {
  await db
    .insertInto('owners')
    .values({ user_id: userId, is_erased: true })
    .onConflict((conflict) => conflict.column('user_id').doUpdateSet({ is_erased: true }))
    .execute()
  await deleteUnordered(db, userId)
}

/** His cart, if it is open, and those that have come into his carts. */
export async function deleteUnordered(db: CartDatabase, userId: string): Promise<void> {
  const unordered = db.selectFrom('carts').select('id').where('user_id', '=', userId).where('status', 'in', ['open', 'merged'])
  await db.deleteFrom('items').where('cart_id', 'in', unordered).execute()
  await db.deleteFrom('carts').where('id', 'in', unordered).execute()
}
