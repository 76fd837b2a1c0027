/** The catalog: what we sell, and for how much. */
import type { Money, Product } from '@shop/catalog-contract'
import { catalog } from '@shop/catalog-contract'
import { service, tables } from 'skerry'

interface ProductRow {
  readonly sku: string
  readonly name: string
  readonly description: string
  readonly category: string
  readonly price_minor_units: number
  readonly currency: Money['currency']
}

const catalogService = service(catalog, {
  migrations: new URL('./migrations/', import.meta.url),
  tables: tables<{ products: ProductRow }>(),
})

export default catalogService.implement({
  async listProducts({ input: { category, after, limit }, db }) {
    let query = db.selectFrom('products').selectAll().orderBy('sku').limit(limit)
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
    const rows = await db.selectFrom('products').selectAll().where('sku', 'in', skus).execute()
    return rows.map(toProduct)
  },
})

function toProduct({ price_minor_units, currency, ...product }: ProductRow): Product {
  return { ...product, price: { minor_units: price_minor_units, currency } }
}
