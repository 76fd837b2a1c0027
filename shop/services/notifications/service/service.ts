/** The notifications service: one message for each order and kind of news, decided in a transaction, then sent until the mail server has taken it. */
import type { Notification } from '@shop/notifications-contract'
import { notifications } from '@shop/notifications-contract'
import { orders } from '@shop/orders-contract'
import { users } from '@shop/users-contract'
import { CallError, service, tables } from 'skerry'
import type { Clients } from 'skerry/service'
import { MailConfig, mailTransport } from './mail.ts'

interface NotificationRow {
  readonly id: string
  readonly order_id: string
  readonly user_id: string
  readonly kind: Notification['kind']
  readonly message: string
  readonly created_at: Date
  readonly sent_at: Date | null
  readonly withheld_at: Date | null
}

const notificationService = service(notifications, {
  uses: { users },
  listens: [orders],
  migrations: new URL('./migrations/', import.meta.url),
  tables: tables<{ notifications: NotificationRow }>(),
  config: MailConfig,
  resources: ({ config, log }) => ({ mail: mailTransport(config, log) }),
})

type Told = Parameters<Parameters<typeof notificationService.on<typeof orders.events.orderPlaced.data>>[1]>[0]

/** In the transaction that records the event as handled: however often it is delivered, there is one notification of each kind. */
async function tell({ event: order, db, emit, id, clock }: Told, kind: Notification['kind'], message: string): Promise<void> {
  const created = await db
    .insertInto('notifications')
    .values({ id: id(), order_id: String(order.id), user_id: String(order.user_id), kind, message, created_at: clock.now() })
    .onConflict((conflict) => conflict.columns(['order_id', 'kind']).doNothing())
    .returning('id')
    .executeTakeFirst()
  if (created !== undefined) emit.notificationCreated({ notification_id: created.id })
}

const REASONS: Readonly<Record<string, string>> = {
  outOfStock: 'there are not enough pieces left',
  paymentDeclined: 'the payment was declined',
  customer: 'you have called it off',
  deadlineExceeded: 'the payment could not be made in time',
}

const { orderPlaced, orderConfirmed, orderCancelled, orderRefunded } = orders.events
const news = [
  notificationService.on(orderPlaced, (context) => {
    const { id, product, amount, total } = context.event
    return tell(context, 'order-placed', `Your order ${id} has been placed: ${product}, ${amount.toFixed(2)} ${total.currency}.`)
  }),
  notificationService.on(orderConfirmed, (context) =>
    tell(context, 'order-confirmed', `Your order ${context.event.id} is paid, and will be sent: ${context.event.product}.`),
  ),
  notificationService.on(orderCancelled, (context) => {
    const { id, reason } = context.event
    return tell(
      context,
      'order-cancelled',
      `Your order ${id} is cancelled: ${REASONS[reason ?? ''] ?? 'we are sorry'}. Nothing is charged.`,
    )
  }),
  notificationService.on(orderRefunded, (context) => {
    const { id, amount, total } = context.event
    return tell(
      context,
      'order-refunded',
      `Your order ${id} is called off, and ${amount.toFixed(2)} ${total.currency} are on their way back.`,
    )
  }),
]

/** Outside a transaction, because it talks to the world: at least once, under a Message-ID that never changes. */
const sendMail = notificationService.effect(notifications.events.notificationCreated, async ({ event, db, call, clock, resources }) => {
  const notification = await db.selectFrom('notifications').selectAll().where('id', '=', event.notification_id).executeTakeFirstOrThrow()
  if (notification.sent_at !== null || notification.withheld_at !== null) return
  const record = (end: { readonly sent_at: Date } | { readonly withheld_at: Date }) =>
    db.updateTable('notifications').set(end).where('id', '=', notification.id).execute()
  // The address is kept nowhere but with users, and asked for at each attempt: what waits while somebody is erased finds nobody.
  const user = await findUser(call, notification.user_id)
  if (user === undefined) return void (await record({ withheld_at: clock.now() }))
  await resources.mail.send({
    id: notification.id,
    to: user.email,
    subject: `Your order ${notification.order_id}`,
    text: `Hello ${user.name},\n\n${notification.message}\n`,
  })
  await record({ sent_at: clock.now() })
})

async function findUser(call: Clients<{ readonly users: typeof users }>, id: string) {
  try {
    return await call.users.getUser({ id: fromText(id) })
  } catch (error) {
    if (error instanceof CallError && error.code === 'userNotFound') return undefined
    throw error
  }
}

export default notificationService.implement(
  {
    async listNotifications({ input, db }) {
      const rows = await db
        .selectFrom('notifications')
        .selectAll()
        .where('order_id', '=', String(input.order_id))
        .orderBy('created_at')
        .execute()
      return rows.map(toNotification)
    },
  },
  { on: [...news, sendMail] },
)

function toNotification({ id, order_id, user_id, kind, message, sent_at, withheld_at }: NotificationRow): Notification {
  return {
    id,
    order_id: fromText(order_id),
    user_id: fromText(user_id),
    kind,
    message,
    status: sent_at === null ? 'pending' : 'sent',
    withheld: withheld_at !== null,
  }
}

function fromText(id: string): number | string {
  return /^-?\d+$/.test(id) ? Number(id) : id
}
