/** Carts in the database. Changing one locks it first: what customers do in two windows comes one after the other. */
import type { Cart, Item } from '@shop/cart-contract'
import type { CartDatabase, CartRow } from './tables.ts'

export async function lockCart(db: CartDatabase, id: string): Promise<CartRow | undefined> {
  return db.selectFrom('carts').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()
}

/** The cart, begun if it does not exist. Where two transactions begin it, the database has the second run again. */
export async function lockOrBegin(db: CartDatabase, id: string, now: Date): Promise<CartRow> {
  const found = await lockCart(db, id)
  if (found !== undefined) return found
  return db
    .insertInto('carts')
    .values({ id, user_id: null, status: 'open', order_id: null, merged_into: null, changed_at: now })
    .onConflict((conflict) => conflict.doNothing())
    .returningAll()
    .executeTakeFirstOrThrow()
}

export async function updateCart(db: CartDatabase, id: string, change: Partial<Omit<CartRow, 'id'>>): Promise<CartRow> {
  return db.updateTable('carts').set(change).where('id', '=', id).returningAll().executeTakeFirstOrThrow()
}

export async function findCart(db: CartDatabase, id: string): Promise<Cart | undefined> {
  const row = await db.selectFrom('carts').selectAll().where('id', '=', id).executeTakeFirst()
  return row && toCart(db, row)
}

/** What clients see of it: prices as shown, beside those of now. */
export async function toCart(db: CartDatabase, { id, user_id, status, order_id }: CartRow): Promise<Cart> {
  const items = await itemsOf(db, id)
  const currency = items[0]?.unit_price.currency
  return {
    id,
    user_id: user_id === null ? null : fromText(user_id),
    status,
    items: items.map(({ seenVersion: _seen, currentVersion: _current, ...item }) => item),
    total:
      currency === undefined
        ? null
        : { minor_units: items.reduce((sum, { quantity, unit_price }) => sum + quantity * unit_price.minor_units, 0), currency },
    order_id,
  }
}

export interface VersionedItem extends Item {
  readonly seenVersion: number
  readonly currentVersion: number
}

export async function itemsOf(db: CartDatabase, cartId: string): Promise<readonly VersionedItem[]> {
  const rows = await db
    .selectFrom('items')
    .innerJoin('prices', 'prices.sku', 'items.sku')
    .select(['items.sku', 'items.name', 'items.quantity', 'items.minor_units', 'items.currency', 'items.version', 'prices.discontinued'])
    .select(['prices.minor_units as current_minor_units', 'prices.currency as current_currency', 'prices.version as current_version'])
    .where('items.cart_id', '=', cartId)
    .orderBy('items.sku')
    .execute()
  return rows.map((row) => ({
    sku: row.sku,
    name: row.name,
    quantity: row.quantity,
    unit_price: { minor_units: row.minor_units, currency: row.currency },
    current_price: { minor_units: row.current_minor_units, currency: row.current_currency },
    discontinued: row.discontinued,
    seenVersion: row.version,
    currentVersion: row.current_version,
  }))
}

/** Ids are integers or UUIDs, and text in the database. */
export function fromText(id: string): number | string {
  return /^-?\d+$/.test(id) ? Number(id) : id
}
