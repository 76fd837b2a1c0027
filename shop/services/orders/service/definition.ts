/** What the orders service needs: the contracts it calls, and its tables. */
import { catalog } from '@shop/catalog-contract'
import { inventory } from '@shop/inventory-contract'
import { orders } from '@shop/orders-contract'
import { payments } from '@shop/payments-contract'
import { users } from '@shop/users-contract'
import { service, tables } from 'skerry'
import type { OrderTable } from './order-row.ts'

export const orderService = service(orders, {
  uses: { users, catalog, inventory, payments },
  migrations: new URL('./migrations/', import.meta.url),
  tables: tables<{ orders: OrderTable }>(),
})
