/** The notification service: one notification for each order, decided in a transaction, then sent as mail until the mail server has taken it. */
import { notificationService } from '@ecommerce/notification-service-contract'
import { orderService } from '@ecommerce/order-service-contract'
import { userService } from '@ecommerce/user-service-contract'
import { service, tables } from 'skerry'
import { MailConfig, mailTransport } from './mail.ts'

interface NotificationRow {
  readonly id: string
  readonly order_id: string
  readonly user_id: string
  readonly message: string
  readonly created_at: Date
  readonly sent_at: Date | null
}

const notifications = service(notificationService, {
  uses: { users: userService },
  listens: [orderService],
  migrations: new URL('./migrations/', import.meta.url),
  tables: tables<{ notifications: NotificationRow }>(),
  config: MailConfig,
  resources: ({ config, log }) => ({ mail: mailTransport(config, log) }),
})

/** In the transaction that records the event as handled: however often it is delivered, there is one notification. */
const createNotification = notifications.on(orderService.events.orderPlaced, async ({ event: order, db, emit, id, clock }) => {
  const created = await db
    .insertInto('notifications')
    .values({
      id: id(),
      order_id: String(order.id),
      user_id: String(order.user_id),
      message: `Your order ${order.id} has been placed: ${order.product}, ${order.amount.toFixed(2)}.`,
      created_at: clock.now(),
      sent_at: null,
    })
    .onConflict((conflict) => conflict.column('order_id').doNothing())
    .returning('id')
    .executeTakeFirst()
  if (created !== undefined) emit.notificationCreated({ notification_id: created.id })
})

/** Outside a transaction, because it talks to the world: at least once, under a Message-ID that never changes. */
const sendMail = notifications.effect(notificationService.events.notificationCreated, async ({ event, db, call, clock, resources }) => {
  const notification = await db.selectFrom('notifications').selectAll().where('id', '=', event.notification_id).executeTakeFirstOrThrow()
  if (notification.sent_at !== null) return
  const user = await call.users.getUser({ id: fromText(notification.user_id) })
  await resources.mail.send({
    id: notification.id,
    to: user.email,
    subject: `Your order ${notification.order_id}`,
    text: `Hello ${user.name},\n\n${notification.message}\n`,
  })
  await db.updateTable('notifications').set({ sent_at: clock.now() }).where('id', '=', notification.id).execute()
})

export default notifications.implement(
  {
    async listNotifications({ input, db }) {
      const rows = await db.selectFrom('notifications').selectAll().where('order_id', '=', String(input.order_id)).execute()
      return rows.map((row) => ({
        id: row.id,
        order_id: fromText(row.order_id),
        user_id: fromText(row.user_id),
        message: row.message,
        status: row.sent_at === null ? ('pending' as const) : ('sent' as const),
      }))
    },
  },
  { on: [createNotification, sendMail] },
)

function fromText(id: string): number | string {
  return /^-?\d+$/.test(id) ? Number(id) : id
}
