/** The catalog: what we sell, and for how much. */
import type { Money, Offer, Product } from '@shop/catalog-contract'
import { catalog } from '@shop/catalog-contract'
import { service, tables } from 'skerry'

interface ProductRow {
  readonly sku: string
  readonly name: string
  readonly description: string
  readonly category: string
  readonly price_minor_units: number
  readonly currency: Money['currency']
  readonly price_version: number
  readonly discontinued: boolean
}

const catalogService = service(catalog, {
  migrations: new URL('./migrations/', import.meta.url),
  tables: tables<{ products: ProductRow }>(),
})

export default catalogService.implement({
  async listProducts({ input: { category, after, limit }, db }) {
    let query = db.selectFrom('products').selectAll().where('discontinued', '=', false).orderBy('sku').limit(limit)
    if (category !== undefined) query = query.where('category', '=', category)
    if (after !== undefined) query = query.where('sku', '>', after)
    return (await query.execute()).map(toProduct)
  },

  async getProduct({ input: { sku }, db, fail }) {
    const row = await db.selectFrom('products').selectAll().where('sku', '=', sku).executeTakeFirst()
    if (row === undefined) throw fail.productNotFound()
    return toProduct(row)
  },

  async getPrices({ input: { skus }, db }) {
    const rows = await db.selectFrom('products').selectAll().where('sku', 'in', skus).where('discontinued', '=', false).execute()
    return rows.map(toProduct)
  },

  async getOffers({ input: { skus }, db }) {
    return (await db.selectFrom('products').selectAll().where('sku', 'in', skus).execute()).map(toOffer)
  },

  async changePrice({ input: { sku, price }, transaction, fail }) {
    return transaction(async ({ db, emit }) => {
      const row = await db.selectFrom('products').selectAll().where('sku', '=', sku).forUpdate().executeTakeFirst()
      if (row === undefined) throw fail.productNotFound()
      if (row.price_minor_units === price.minor_units && row.currency === price.currency) return toOffer(row)
      const changed = await db
        .updateTable('products')
        .set({ price_minor_units: price.minor_units, currency: price.currency, price_version: row.price_version + 1 })
        .where('sku', '=', sku)
        .returningAll()
        .executeTakeFirstOrThrow()
      emit.productPriceChanged(toOffer(changed))
      return toOffer(changed)
    })
  },

  async discontinueProduct({ input: { sku }, transaction, fail }) {
    return transaction(async ({ db, emit }) => {
      const row = await db.selectFrom('products').selectAll().where('sku', '=', sku).forUpdate().executeTakeFirst()
      if (row === undefined) throw fail.productNotFound()
      if (row.discontinued) return toOffer(row)
      const offer = { ...toOffer(row), discontinued: true }
      await db.updateTable('products').set({ discontinued: true }).where('sku', '=', sku).execute()
      emit.productDiscontinued(offer)
      return offer
    })
  },
})

function toProduct({ sku, name, description, category, price_minor_units, currency }: ProductRow): Product {
  return { sku, name, description, category, price: { minor_units: price_minor_units, currency } }
}

function toOffer({ sku, name, price_minor_units, currency, price_version, discontinued }: ProductRow): Offer {
  return { sku, name, price: { minor_units: price_minor_units, currency }, version: price_version, discontinued }
}
