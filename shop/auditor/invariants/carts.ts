/** I18: the carts' copies of prices are the catalog's, or older; never newer, and at rest the same. */
import type { Evidence, Invariant } from '../invariant.ts'

interface PriceRow {
  readonly sku: string
  readonly minor_units: number
  readonly currency: string
  readonly version: number
}

const neverAhead: Invariant = {
  name: 'I18',
  needs: ['cart', 'catalog'],
  async find(evidence) {
    const { copies, sources } = await readPrices(evidence)
    return copies.flatMap(({ sku, version }) => {
      const source = sources.get(sku)?.version ?? 0
      return version > source ? [`the carts have version ${version} of the price of ${sku}, the catalog ${source}`] : []
    })
  },
}

const copiesEqual: Invariant = {
  name: 'I18',
  needs: ['cart', 'catalog'],
  atRest: true,
  async find(evidence) {
    const { copies, sources } = await readPrices(evidence)
    return copies.flatMap(({ sku, minor_units, currency, version }) => {
      const source = sources.get(sku)
      if (source === undefined || version > source.version) return []
      const isSame = source.version === version && source.minor_units === minor_units && source.currency === currency
      return isSame ? [] : [`the carts sell ${sku} at ${minor_units} ${currency}, the catalog at ${source.minor_units} ${source.currency}`]
    })
  },
}

export const cartInvariants: readonly Invariant[] = [neverAhead, copiesEqual]

/** The copies are read first: they can only be behind. */
async function readPrices({ rows }: Evidence) {
  const copies = await rows<PriceRow>('cart', 'select sku, minor_units, currency, version from prices order by sku')
  const sources = await rows<PriceRow>(
    'catalog',
    'select sku, price_minor_units as minor_units, currency, price_version as version from products',
  )
  return { copies, sources: new Map(sources.map((row) => [row.sku, row])) }
}
