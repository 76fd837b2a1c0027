/** The user service: accounts, in a database that nobody else can read. */
import { userService } from '@ecommerce/user-service-contract'
import { service, tables } from 'skerry'

interface UserRow {
  readonly id: string
  readonly name: string
  readonly email: string
  readonly created_at: Date
}

const users = service(userService, {
  migrations: new URL('./migrations/', import.meta.url),
  tables: tables<{ users: UserRow }>(),
})

export default users.implement({
  async createUser({ input: user, transaction, clock, fail }) {
    return transaction(async ({ db }) => {
      const created = await db
        .insertInto('users')
        .values({ id: String(user.id), name: user.name, email: user.email, created_at: clock.now() })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .returning('id')
        .executeTakeFirst()
      if (created !== undefined) return user

      const existing = await db.selectFrom('users').selectAll().where('id', '=', String(user.id)).executeTakeFirstOrThrow()
      if (existing.name !== user.name || existing.email !== user.email) throw fail.userExists()
      return user
    })
  },

  async getUser({ input: { id }, db, fail }) {
    const row = await db.selectFrom('users').selectAll().where('id', '=', String(id)).executeTakeFirst()
    if (row === undefined) throw fail.userNotFound()
    return { id, name: row.name, email: row.email }
  },
})
