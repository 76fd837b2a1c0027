/** A small system for the generators' tests: an operation that is public, a call, an event, a setting that is needed and one that is not. */
import { contract, event, gateway, get, post, service, system } from 'skerry'
import { z } from 'zod'

const Order = z.object({ id: z.string() })
const nothing = async (): Promise<void> => {}

const users = contract('user-service', { version: '2.1.0', operations: { find: get('/users/{id}', { input: Order, public: true }) } })
const orders = contract('order-service', {
  version: '1.0.0',
  operations: { place: post('/orders', { input: Order, public: true }) },
  events: { orderPlaced: event(Order, { key: 'id' }) },
})
const mail = contract('mail', { version: '1.0.0', operations: {} })
const prices = contract('prices', { version: '1.0.0', operations: { list: get('/prices') } })

const mailService = service(mail, {
  listens: [orders],
  config: z.object({ SMTP_URL: z.string(), MAIL_FROM: z.string().optional(), MAIL_SIZE: z.string().default('1') }),
})

export const fixtureShop = system('Fixture Shop', {
  services: [
    service(users, { migrations: new URL('file:///nowhere/') }).implement({ find: nothing }),
    service(orders, { uses: { users, prices } }).implement({ place: nothing }),
    mailService.implement({}, { on: [mailService.on(orders.events.orderPlaced, nothing)] }),
    service(prices).implement({ list: nothing }),
  ],
  gateway: gateway(),
})
