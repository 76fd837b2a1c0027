/** The shop: the only place that knows what exists. Where each part runs is configuration, read at start. */
import catalog from '@shop/catalog'
import notifications from '@shop/notifications'
import orders from '@shop/orders'
import users from '@shop/users'
import { gateway, system } from 'skerry'

export const shop = system('shop', {
  services: [users, catalog, orders, notifications],
  gateway: gateway(),
})
