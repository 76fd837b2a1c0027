/** Users, orders and notifications as Skerry services: an order checks its user, is stored with its event, and leads to a notification row. */
import { contract, event, get, post, problem, service, system, tables } from 'skerry'
import { z } from 'zod'

const NewOrder = z.object({ id: z.int(), userId: z.int(), product: z.string().min(1), cents: z.int().min(0) })

const users = contract('users', {
  version: '1.0.0',
  operations: {
    getUser: get('/users/{id}', {
      input: z.object({ id: z.int() }),
      output: z.object({ id: z.int(), name: z.string() }),
      errors: { userNotFound: problem(404, 'User not found') },
    }),
  },
})
const orders = contract('orders', {
  version: '1.0.0',
  operations: {
    placeOrder: post('/orders', {
      input: NewOrder,
      output: NewOrder,
      errors: { userNotFound: problem(400, 'User not found') },
      deadline: '10s',
    }),
  },
  events: { orderPlaced: event(NewOrder, { key: 'id' }) },
})
const notifications = contract('notifications', {
  version: '1.0.0',
  operations: { count: get('/count', { output: z.object({ notifications: z.int(), orders: z.int() }) }) },
})

const migrations = (name: string): URL => new URL(`./migrations/${name}/`, import.meta.url)

const userService = service(users, { migrations: migrations('users'), tables: tables<{ users: { id: number; name: string } }>() })
const orderService = service(orders, {
  uses: { users },
  migrations: migrations('orders'),
  tables: tables<{ orders: { id: number; user_id: number; product: string; cents: number } }>(),
})
const notificationService = service(notifications, {
  uses: { orders },
  migrations: migrations('notifications'),
  tables: tables<{ notifications: { id: string; order_id: number; text: string } }>(),
})

export const placement = system('placement', {
  services: [
    userService.implement({
      async getUser({ input, db, fail }) {
        const user = await db.selectFrom('users').selectAll().where('id', '=', input.id).executeTakeFirst()
        if (user === undefined) throw fail.userNotFound()
        return user
      },
    }),
    orderService.implement({
      async placeOrder({ input, call, transaction, fail }) {
        const user = await call.users.getUser.try({ id: input.userId })
        if (!user.ok && user.error.code === 'userNotFound') throw fail.userNotFound()
        return transaction(async ({ db, emit }) => {
          await db
            .insertInto('orders')
            .values({ id: input.id, user_id: input.userId, product: input.product, cents: input.cents })
            .execute()
          emit.orderPlaced(input)
          return input
        })
      },
    }),
    notificationService.implement(
      {
        async count({ db }) {
          const { count, orders: distinct } = await db
            .selectFrom('notifications')
            .select((select) => [select.fn.countAll<number>().as('count'), select.fn.count<number>('order_id').distinct().as('orders')])
            .executeTakeFirstOrThrow()
          return { notifications: count, orders: distinct }
        },
      },
      {
        on: [
          notificationService.on(orders.events.orderPlaced, async ({ event: order, db, id }) => {
            await db
              .insertInto('notifications')
              .values({ id: id(), order_id: order.id, text: `Order ${order.id}: ${order.product}` })
              .execute()
          }),
        ],
      },
    ),
  ],
})
