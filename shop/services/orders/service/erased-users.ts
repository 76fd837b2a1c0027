/**
 * The users who were erased, as far as orders has heard of it: what it goes by when users cannot be asked, and when a user is erased between
 * the question and the order. What was ordered before stays, under an id that leads to nobody, and goes on to its end.
 */
import { users } from '@shop/users-contract'
import type { Kysely } from 'kysely'
import { orderService } from './definition.ts'
import type { OrderTables } from './order-row.ts'

/** However often it is told, and in whatever order: nobody comes off this list. */
export const rememberErased = orderService.on(users.events.userErased, async ({ event: { user_id }, db }) => {
  await db
    .insertInto('erased_users')
    .values({ user_id: String(user_id) })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
})

export async function isErased(db: Kysely<OrderTables>, userId: number | string): Promise<boolean> {
  const found = await db.selectFrom('erased_users').select('user_id').where('user_id', '=', String(userId)).executeTakeFirst()
  return found !== undefined
}
