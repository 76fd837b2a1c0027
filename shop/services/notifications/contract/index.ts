/** What the notifications service promises: people are told what happens to their orders, once for each kind of news. */
import { contract, event, get } from 'skerry/contract'
import { z } from 'zod'

const Id = z.union([z.int(), z.uuid().toLowerCase()], { error: 'expected an integer or a UUID' })

export const Notification = z.object({
  id: z.uuid(),
  order_id: Id,
  user_id: Id,
  kind: z.enum(['order-placed', 'order-confirmed', 'order-cancelled', 'order-refunded']),
  message: z.string(),
  status: z.enum(['pending', 'sent']),
  withheld: z.boolean().meta({ description: 'It will not be sent any more: when its turn came, the user had been erased' }),
})
export type Notification = z.output<typeof Notification>

export const notifications = contract('notifications', {
  version: '1.1.1',
  owner: 'messaging team',
  description: 'What we have told our customers',
  operations: {
    listNotifications: get('/notifications', {
      summary: 'The notifications about an order, in the order they were made',
      input: z.object({ order_id: Id }),
      output: z.array(Notification),
      public: true,
    }),
  },
  events: {
    notificationCreated: event(z.object({ notification_id: z.uuid() }), { key: 'notification_id' }),
  },
})
