/** What the catalog promises: products with their prices, to look through and to be sold at. */
import { contract, event, get, post, problem, put } from 'skerry/contract'
import { z } from 'zod'

/** The stock keeping unit: how a product is named by everybody. */
export const Sku = z
  .string()
  .max(40)
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'expected lower-case words joined by "-"')

/** One line of text: what else a query may carry, NUL above all, no database stores. */
const Category = z
  .string()
  .max(100)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'expected one line of text')

/** 1299 minor units are 12.99: money is counted in whole hundredths. */
export const Money = z.object({ minor_units: z.int().min(0).max(1_000_000_000), currency: z.enum(['EUR', 'GBP', 'USD']) })
export type Money = z.output<typeof Money>

export const Product = z.object({ sku: Sku, name: z.string(), description: z.string(), category: z.string(), price: Money })
export type Product = z.output<typeof Product>

/** What a product costs, and since which change of its price: a later change has a higher version. */
export const Offer = Product.pick({ sku: true, name: true, price: true }).extend({
  version: z.int().min(1),
  discontinued: z.boolean().meta({ description: 'It is not sold any more' }),
})
export type Offer = z.output<typeof Offer>

export const catalog = contract('catalog', {
  version: '1.0.0',
  owner: 'assortment team',
  description: 'What we sell, and for how much',
  operations: {
    listProducts: get('/products', {
      summary: 'Products by sku; for the next page give the last sku as `after`',
      input: z.object({ category: Category.optional(), after: Sku.optional(), limit: z.int().min(1).max(100).default(50) }),
      output: z.array(Product),
      public: true,
    }),
    getProduct: get('/products/{sku}', {
      summary: 'Look up a product',
      input: z.object({ sku: Sku }),
      output: Product,
      errors: { productNotFound: problem(404, 'Product not found') },
      public: true,
    }),
    getPrices: get('/prices', {
      summary: 'What these products are called and cost now; those that do not exist are left out',
      input: z.object({ skus: z.array(Sku).min(1).max(100) }),
      output: z.array(Product.pick({ sku: true, name: true, price: true })),
      deadline: '1s',
    }),
    getOffers: get('/offers', {
      summary: 'These products with the versions of their prices, for those who keep a copy; those that do not exist are left out',
      input: z.object({ skus: z.array(Sku).min(1).max(100) }),
      output: z.array(Offer),
      deadline: '1s',
    }),
    changePrice: put('/products/{sku}/price', {
      summary: 'Sell a product at another price from now on',
      input: z.object({ sku: Sku, price: Money }),
      output: Offer,
      errors: { productNotFound: problem(404, 'Product not found') },
    }),
    discontinueProduct: post('/products/{sku}/discontinue', {
      summary: 'Sell a product no more',
      input: z.object({ sku: Sku }),
      output: Offer,
      errors: { productNotFound: problem(404, 'Product not found') },
      idempotent: true,
    }),
  },
  events: {
    productPriceChanged: event(Offer, { key: 'sku' }),
    productDiscontinued: event(Offer, { key: 'sku' }),
  },
})
