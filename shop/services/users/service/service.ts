/** The users service: who our customers are. */
import { users } from '@shop/users-contract'
import { service, tables } from 'skerry'

interface UserRow {
  readonly id: string
  readonly name: string
  readonly email: string
  readonly idempotency_key: string | null
  readonly registered_at: Date
}

const userService = service(users, {
  migrations: new URL('./migrations/', import.meta.url),
  tables: tables<{ users: UserRow }>(),
})

export default userService.implement({
  async registerUser({ input, idempotencyKey = null, transaction, id: newId, clock, fail }) {
    const { id = newId(), name, email } = input
    return transaction(async ({ db }) => {
      const registered = await db
        .insertInto('users')
        .values({ id: String(id), name, email, idempotency_key: idempotencyKey, registered_at: clock.now() })
        .onConflict((conflict) => conflict.doNothing())
        .returning('id')
        .executeTakeFirst()
      if (registered !== undefined) return { id, name, email }

      const earlier = await db
        .selectFrom('users')
        .selectAll()
        .where((is) => is.or([is('id', '=', String(id)), is('idempotency_key', '=', idempotencyKey)]))
        .execute()
      const isRepeated = earlier.every(
        (user) => user.name === name && user.email === email && (input.id === undefined || user.id === String(id)),
      )
      if (!isRepeated) throw fail.userExists()
      return toUser(earlier[0]!)
    })
  },

  async getUser({ input: { id }, db, fail }) {
    const row = await db.selectFrom('users').selectAll().where('id', '=', String(id)).executeTakeFirst()
    if (row === undefined) throw fail.userNotFound()
    return toUser(row)
  },
})

function toUser({ id, name, email }: UserRow) {
  return { id: /^-?\d+$/.test(id) ? Number(id) : id, name, email }
}
