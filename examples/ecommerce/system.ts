/** The e-commerce system: the only place that knows what exists. Where each part runs is configuration, read at start. */
import notificationService from '@ecommerce/notification-service'
import orderService from '@ecommerce/order-service'
import userService from '@ecommerce/user-service'
import { gateway, system } from 'skerry'

export const ecommerce = system('ecommerce', {
  services: [userService, orderService, notificationService],
  gateway: gateway(),
})
