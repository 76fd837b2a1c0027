/** What the shop shows while a service gives no answer: pages with a part missing, or as they were, and marked so. */
import { catalog } from '@shop/catalog-contract'
import { orders } from '@shop/orders-contract'
import { recommendations } from '@shop/recommendations-contract'
import { gateway, using } from 'skerry'

/** A page of products that is as old as that is better than none. */
const products = { deadline: '1s', lastKnown: { maxAge: '1h' } } as const
/** Orders go on all the time; whoever looks at his is told how old what he sees is. */
const ordersSeen = { deadline: '2s', lastKnown: { entries: 10_000, maxAge: '10m' } } as const

export const shopGateway = gateway({
  using: [
    using(catalog, { operations: { listProducts: products, getProduct: products } }),
    using(orders, { operations: { getOrder: ordersSeen, listOrders: ordersSeen } }),
    using(recommendations, {
      operations: { getRecommendations: { fallback: () => ({ because: 'nothing', products: [], as_of: null }) } },
    }),
  ],
})
