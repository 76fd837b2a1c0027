/** The shop: the only place that knows what exists. Where each part runs is configuration, read at start. */
import cart from '@shop/cart'
import catalog from '@shop/catalog'
import inventory from '@shop/inventory'
import notifications from '@shop/notifications'
import orders from '@shop/orders'
import payments from '@shop/payments'
import recommendations from '@shop/recommendations'
import users from '@shop/users'
import { system } from 'skerry'
import { shopGateway } from './gateway.ts'

export const shop = system('shop', {
  services: [users, catalog, inventory, payments, orders, cart, recommendations, notifications],
  gateway: shopGateway,
})
