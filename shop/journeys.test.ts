import type { JourneyBudget } from 'skerry/testing'
import { expectJourney } from 'skerry/testing'
/** What the journeys of a customer cost in calls between services: whoever makes one dearer, raises its budget here and says why. */
import { expect, test } from 'vitest'
import { openCheckout } from './fixtures/whole-checkout.ts'

const CART = '019b76da-a800-7000-8000-000000000001'

type Shop = Awaited<ReturnType<typeof openCheckout>>

/** Takes it with what follows from it, through the gateway. */
async function taken(shop: Shop, budget: JourneyBudget, journey: (at: (path: string) => Promise<unknown>) => Promise<void>) {
  const before = shop.app.spans().length
  await journey(async (path) => {
    const answer = await fetch(`${shop.app.gatewayUrl}${path}`)
    expect([path, answer.status]).toEqual([path, 200])
    return answer.json()
  })
  await shop.app.settled()
  return expectJourney(shop.app.spans().slice(before), budget)
}

test('to browse: each page is one call, and so is what is recommended', async () => {
  const shop = await openCheckout()
  await taken(shop, { calls: 3, callsOfOnePair: 1, depth: 1, events: 0 }, async (at) => {
    await at('/products')
    await at('/products/mug')
    await at('/recommendations?sku=mug')
  })
})

test('to fill a cart and look at it: prices are asked for all at once, however many things are in it', async () => {
  const shop = await openCheckout()
  const put = (sku: string) => shop.call.cart.putItem({ id: CART, sku, quantity: 1 })
  for (const sku of ['mug', 'lamp', 'pen']) await put(sku)
  await taken(shop, { calls: 2, callsOfOnePair: 1, depth: 2, events: 0 }, async (at) => {
    await at(`/carts/${CART}`)
  })
})

test('to buy: who it is, what it costs, four calls of the saga, two of the payment provider, and two to write to the customer', async () => {
  const shop = await openCheckout()
  const journey = await taken(shop, { calls: 11, callsOfOnePair: 2, depth: 2, events: 8 }, async () => {
    const answer = await fetch(`${shop.app.gatewayUrl}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        user_id: 1,
        card: 'tok_ok',
        lines: [
          { sku: 'mug', quantity: 2 },
          { sku: 'pen', quantity: 1 },
        ],
      }),
    })
    expect(answer.status).toBe(200)
  })
  expect(journey.pairs.map(({ from, to }) => `${from} → ${to}`)).toEqual(expect.arrayContaining(['gateway → orders', 'orders → payments']))
})

test('a journey that is too dear is refused, with who makes it so', async () => {
  const shop = await openCheckout()
  const dear = taken(shop, { calls: 0 }, async (at) => void (await at('/products/mug')))
  await expect(dear).rejects.toThrow(
    'This journey is over its budget:\n  - 1 call, and it may make 0\n      gateway → catalog: 1 (catalog.getProduct)',
  )
  expect(() => expectJourney([], {})).toThrow('No span was recorded')
})
