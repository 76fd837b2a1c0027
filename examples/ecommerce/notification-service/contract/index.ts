/** What the notification service promises: whoever places an order is told so, once. */
import { contract, event, get } from 'skerry/contract'
import { z } from 'zod'

const Id = z.union([z.int(), z.uuid().toLowerCase()], { error: 'expected an integer or a UUID' })

export const Notification = z.object({
  id: z.uuid(),
  order_id: Id,
  user_id: Id,
  message: z.string(),
  status: z.enum(['pending', 'sent']),
})

export const notificationService = contract('notification-service', {
  version: '1.0.1',
  owner: 'messaging team',
  description: 'What we have told our customers',
  operations: {
    listNotifications: get('/notifications', {
      summary: 'The notifications of an order',
      input: z.object({ order_id: Id }),
      output: z.array(Notification),
      public: true,
    }),
  },
  events: {
    notificationCreated: event(z.object({ notification_id: z.uuid() }), { key: 'notification_id' }),
  },
})
