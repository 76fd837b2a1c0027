/** The carts' own copy of the catalog's prices. Versions only grow: a reader never sees a price go back in time. */
import type { Offer } from '@shop/catalog-contract'
import type { CartDatabase } from './tables.ts'

/** Takes an offer over, unless it is older than the copy. */
export async function takeOver(db: CartDatabase, { sku, name, price, version, discontinued }: Offer): Promise<void> {
  const copy = { name, minor_units: price.minor_units, currency: price.currency, version, discontinued }
  await db
    .insertInto('prices')
    .values({ sku, ...copy })
    .onConflict((conflict) =>
      conflict
        .column('sku')
        .doUpdateSet(copy)
        // Nothing is sold again once it is discontinued, so an answer that is late cannot bring it back.
        .where((is) => is.and([is('prices.version', '<=', version), is.or([is('prices.discontinued', '=', false), is.val(discontinued)])])),
    )
    .execute()
}

export async function hasPrice(db: CartDatabase, sku: string): Promise<boolean> {
  return (await db.selectFrom('prices').select('sku').where('sku', '=', sku).executeTakeFirst()) !== undefined
}
