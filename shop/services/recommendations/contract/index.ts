/** What recommendations promises: what others have bought, as far as the news of it has come. It decides nothing, and may be wrong for a while. */
import { contract, get } from 'skerry/contract'
import { z } from 'zod'

const Sku = z
  .string()
  .max(40)
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'expected lower-case words joined by "-"')

export const Recommendations = z.object({
  because: z.enum(['bought-together', 'trending', 'nothing']).meta({
    description: 'What is bought with the product; where that is unknown, what is bought most; where nothing is bought, nothing',
  }),
  products: z.array(z.object({ sku: Sku, orders: z.int() })),
  as_of: z.iso.datetime().nullable().meta({ description: 'When the last order was placed that this knows of' }),
})
export type Recommendations = z.output<typeof Recommendations>

export const recommendations = contract('recommendations', {
  version: '2.0.2',
  owner: 'storefront team',
  description: 'What else somebody might want',
  operations: {
    getRecommendations: get('/recommendations', {
      summary: 'What is bought together with a product, or without one what is bought most in these days',
      input: z.object({ sku: Sku.optional(), limit: z.int().min(1).max(20).default(5) }),
      output: Recommendations,
      deadline: '500ms',
      public: true,
    }),
  },
})
