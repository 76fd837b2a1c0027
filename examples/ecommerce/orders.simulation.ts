/** The e-commerce system under seeds: customers place orders while everything goes wrong; each order is notified of once. */
import { orderService } from '@ecommerce/order-service-contract'
import { userService } from '@ecommerce/user-service-contract'
import fc from 'fast-check'
import { simulation } from 'skerry/simulation'
import { ecommerce } from './system.ts'

export default simulation('orders', {
  system: ecommerce,
  // What clients and the world outside remember, made anew for each seed.
  state: ({ reach }) => ({
    placed: new Set<number | string>(),
    mails: new Map<string, number>(),
    mailServer: async () => (await reach('notification-service → mail server')) === 'delivered',
  }),
  // Instead of a mail server, which nobody can replay.
  resources: ({ mails, mailServer }) => ({
    'notification-service': {
      mail: {
        async send({ id }: { readonly id: string }) {
          if (!(await mailServer())) throw new Error('the mail server has not answered')
          mails.set(id, (mails.get(id) ?? 0) + 1)
        },
      },
    },
  }),
  operations: {
    register: {
      input: fc.record({ id: fc.integer({ min: 1, max: 2 }), name: fc.constant('Ann'), email: fc.constant('ann@example.com') }),
      run: ({ clientOf }, user) => clientOf(userService).createUser(user),
    },
    'place an order': {
      weight: 4,
      // Few ids, so that customers meet at the same order.
      input: fc.record({
        id: fc.integer({ min: 1, max: 8 }),
        user_id: fc.integer({ min: 1, max: 2 }),
        product: fc.constantFrom('kettle', 'mug'),
        amount: fc.constant(8.9),
      }),
      async run({ clientOf, state }, order) {
        const { status } = await clientOf(orderService).placeOrder(order)
        state.placed.add(order.id)
        return status
      },
    },
  },
  // What never happens is not tested.
  sometimes: {
    'an order is placed': ({ history }) => history.filter(({ result }) => result === 'created').length,
    'a mail is sent': ({ trace }) => trace.filter(({ text }) => text.startsWith('publishes notification-service.')).length,
  },
  invariants: {
    'an order that was answered is there': async ({ databases, state }) => {
      const { rows } = await databases['order-service']!.query<{ id: string }>('select id from orders')
      const there = new Set(rows.map(({ id }) => id))
      return [...state.placed].filter((id) => !there.has(String(id))).map((id) => `order ${id} was answered, and is not there`)
    },
  },
  eventually: {
    'every order is notified of, and its mail is sent': async ({ databases }) => {
      const { rows: orders } = await databases['order-service']!.query<{ id: string }>('select id from orders order by id')
      const { rows } = await databases['notification-service']!.query<{ order_id: string; sent_at: Date | null }>(
        'select order_id, sent_at from notifications',
      )
      const sent = new Set(rows.filter(({ sent_at }) => sent_at !== null).map(({ order_id }) => order_id))
      return orders.filter(({ id }) => !sent.has(id)).map(({ id }) => `nobody was told of order ${id}`)
    },
  },
})
