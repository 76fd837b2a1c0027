/** What an order costs: each line at the catalog's price, and their sum. Pure arithmetic in whole minor units. */
import type { Money } from '@shop/catalog-contract'
import type { NewOrder, OrderLine } from '@shop/orders-contract'

/** As the catalog gives it. */
export interface Price {
  readonly sku: string
  readonly name: string
  readonly price: Money
}

export type Pricing =
  | { readonly kind: 'priced'; readonly lines: readonly OrderLine[]; readonly total: Money }
  | { readonly kind: 'unknown'; readonly skus: string[] }
  | { readonly kind: 'several currencies' }

/** What is ordered, whichever way it was written. */
export function requestedLines({ lines, product }: NewOrder): readonly { readonly sku: string; readonly quantity: number }[] {
  return lines ?? (product === undefined ? [] : [{ sku: product, quantity: 1 }])
}

export function priceOrder(order: NewOrder, prices: readonly Price[]): Pricing {
  const known = new Map(prices.map((price) => [price.sku, price]))
  const requested = requestedLines(order)
  const unknown = requested.filter(({ sku }) => !known.has(sku)).map(({ sku }) => sku)
  if (unknown.length > 0) return { kind: 'unknown', skus: [...new Set(unknown)] }
  const lines = requested.map(({ sku, quantity }) => {
    const { name, price } = known.get(sku)!
    return { sku, quantity, name, unit_price: price }
  })
  const currency = lines[0]!.unit_price.currency
  if (lines.some((line) => line.unit_price.currency !== currency)) return { kind: 'several currencies' }
  const minor_units = lines.reduce((sum, { quantity, unit_price }) => sum + quantity * unit_price.minor_units, 0)
  return { kind: 'priced', lines, total: { minor_units, currency } }
}
