/** An adjustment: pieces that have arrived, or that were missing when somebody counted. Under one name it happens once. */
import type { Stock } from '@shop/inventory-contract'
import type { InventoryTransaction } from './expiry.ts'
import { expireOf } from './expiry.ts'
import { lockStock, move } from './ledger.ts'
import type { InventoryDatabase } from './tables.ts'

export interface Adjusting {
  readonly sku: string
  readonly quantity: number
  readonly reason: string
  readonly name: string | undefined
}

export type AdjustmentOutcome =
  | { readonly kind: 'adjusted'; readonly stock: Stock }
  | { readonly kind: 'not enough'; readonly available: number }
  | { readonly kind: 'exists' }

export async function adjust(
  open: InventoryTransaction,
  { sku, quantity, reason, name }: Adjusting,
  now: Date,
): Promise<AdjustmentOutcome> {
  const { db, emit } = open
  await db
    .insertInto('stock')
    .values({ sku })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  await expireOf(open, [sku], now)
  const before = (await lockStock(db, [sku])).get(sku)!
  if (name !== undefined) {
    const earlier = await db.selectFrom('movements').selectAll().where('adjustment', '=', name).executeTakeFirst()
    if (earlier !== undefined) {
      const same = earlier.sku === sku && earlier.quantity === quantity && earlier.reason === reason
      return same ? { kind: 'adjusted', stock: await balance(db, sku) } : { kind: 'exists' }
    }
  }
  // Below what is reserved nothing is taken away: somebody has been promised it.
  if (before.available + quantity < 0) return { kind: 'not enough', available: before.available }
  const low = await move(db, {
    kind: 'received',
    lines: [{ sku, quantity }],
    ...(name === undefined ? {} : { adjustment: name }),
    reason,
    at: now,
  })
  for (const product of low) emit.stockLow(product)
  return { kind: 'adjusted', stock: await balance(db, sku) }
}

async function balance(db: InventoryDatabase, sku: string): Promise<Stock> {
  const row = await db.selectFrom('stock').select(['sku', 'on_hand', 'reserved']).where('sku', '=', sku).executeTakeFirstOrThrow()
  return { ...row, available: row.on_hand - row.reserved }
}
