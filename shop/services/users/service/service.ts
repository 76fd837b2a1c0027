/** The users service: who our customers are. Of those who were erased it keeps the id, so that no request that is late brings them back. */
import { users } from '@shop/users-contract'
import type { ColumnType } from 'kysely'
import { service, tables } from 'skerry'

interface UserTable {
  readonly id: string
  /** Null when he was erased, as is the e-mail. */
  readonly name: string | null
  readonly email: string | null
  readonly idempotency_key: string | null
  readonly registered_at: Date
  readonly erased_at: ColumnType<Date | null, undefined, Date>
}

const userService = service(users, {
  migrations: new URL('./migrations/', import.meta.url),
  tables: tables<{ users: UserTable }>(),
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
      // Who was erased has no name to repeat: his id and his key stay taken.
      const isRepeated = earlier.every(
        (user) => user.name === name && user.email === email && (input.id === undefined || user.id === String(id)),
      )
      if (!isRepeated) throw fail.userExists()
      return { id: fromText(earlier[0]!.id), name, email }
    })
  },

  async getUser({ input: { id }, db, fail }) {
    const row = await db.selectFrom('users').selectAll().where('id', '=', String(id)).executeTakeFirst()
    if (row === undefined || row.name === null || row.email === null) throw fail.userNotFound()
    return { id: fromText(row.id), name: row.name, email: row.email }
  },

  async eraseUser({ input: { id }, transaction, clock, fail }) {
    await transaction(async ({ db, emit }) => {
      const erased = await db
        .updateTable('users')
        .set({ name: null, email: null, erased_at: clock.now() })
        .where('id', '=', String(id))
        .where('erased_at', 'is', null)
        .returning('id')
        .executeTakeFirst()
      if (erased !== undefined) return emit.userErased({ user_id: id })
      const earlier = await db.selectFrom('users').select('id').where('id', '=', String(id)).executeTakeFirst()
      if (earlier === undefined) throw fail.userNotFound()
    })
  },
})

function fromText(id: string): number | string {
  return /^-?\d+$/.test(id) ? Number(id) : id
}
