/** The tables of cart, for Kysely. */
import type { Cart, Money } from '@shop/cart-contract'
import type { Generated, Kysely, Selectable } from 'kysely'

export interface CartTables {
  readonly carts: CartTable
  readonly items: ItemTable
  readonly prices: PriceTable
  readonly owners: { readonly user_id: string; readonly is_erased: boolean }
}

export type CartDatabase = Kysely<CartTables>

interface CartTable {
  readonly id: string
  readonly user_id: string | null
  readonly status: Cart['status']
  readonly order_id: string | null
  readonly merged_into: string | null
  readonly changed_at: Date
}
export type CartRow = Selectable<CartTable>

interface ItemTable {
  readonly cart_id: string
  readonly sku: string
  readonly quantity: number
  readonly name: string
  readonly minor_units: number
  readonly currency: Money['currency']
  readonly version: number
}

interface PriceTable {
  readonly sku: string
  readonly name: string
  readonly minor_units: number
  readonly currency: Money['currency']
  readonly version: number
  readonly discontinued: Generated<boolean>
}
