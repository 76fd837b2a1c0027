/** What the orders service needs: the contracts it calls, its tables, and the histories of its orders. */
import { catalog } from '@shop/catalog-contract'
import { inventory } from '@shop/inventory-contract'
import { orders } from '@shop/orders-contract'
import { payments } from '@shop/payments-contract'
import { users } from '@shop/users-contract'
import { service, tables } from 'skerry'
import type { OrderTables } from './order-row.ts'
import { order } from './order-stream.ts'

export const orderService = service(orders, {
  uses: { users, catalog, inventory, payments },
  streams: { order },
  migrations: new URL('./migrations/', import.meta.url),
  tables: tables<OrderTables>(),
})
