/** What the orders service needs: the contracts it calls, its tables, and the histories of its orders. */
import { catalog } from '@shop/catalog-contract'
import { inventory } from '@shop/inventory-contract'
import { orders } from '@shop/orders-contract'
import { payments } from '@shop/payments-contract'
import { users } from '@shop/users-contract'
import { service, tables, using } from 'skerry'
import type { OrderTables } from './order-row.ts'
import { order } from './order-stream.ts'

/** What is sold while the catalog cannot be asked, is sold at a price that it has told of within that time. */
const OLDEST_PRICE = '5m'

export const orderService = service(orders, {
  uses: { users, catalog: using(catalog, { operations: { getPrices: { lastKnown: { maxAge: OLDEST_PRICE } } } }), inventory, payments },
  streams: { order },
  migrations: new URL('./migrations/', import.meta.url),
  tables: tables<OrderTables>(),
})
