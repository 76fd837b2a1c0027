/** The whole shop under a seed: customers order, by card and from carts, change their minds and come back; the auditor says what does not hold. */
import { audit } from '@shop/auditor'
import { cart } from '@shop/cart-contract'
import { orders } from '@shop/orders-contract'
import { users } from '@shop/users-contract'
import fc from 'fast-check'
import type { Clock } from 'skerry/engine'
import type { Outside, Run } from 'skerry/simulation'
import { simulation } from 'skerry/simulation'
import { shop } from '../system.ts'
import type { SimulatedMailServer } from './mail-server.ts'
import { simulatedMailServer } from './mail-server.ts'
import type { SimulatedProvider } from './provider.ts'
import { simulatedProvider } from './provider.ts'

const SECRET = 'what a simulated provider signs with'

interface Customers {
  readonly provider: SimulatedProvider
  readonly mail: SimulatedMailServer
  /** Orders whose placing was answered, by its answer. */
  readonly acknowledged: (string | number)[]
  readonly refused: (string | number)[]
  /** Users whose erasure was answered. */
  readonly erased: Set<number>
}

function customers(outside: Outside): Customers {
  const provider = simulatedProvider({
    clock: outside.clock,
    network: { reach: () => outside.reach('payments → provider'), answer: () => outside.answer('provider → payments') },
    webhookSecret: SECRET,
    sendWebhook: async (webhook) => (await outside.request('POST', '/webhooks/provider', webhook)).status < 300,
  })
  return { provider, mail: simulatedMailServer(outside), acknowledged: [], refused: [], erased: new Set() }
}

const card = fc.constantFrom(
  'tok_ok',
  'tok_ok',
  'tok_ok',
  'tok_declined',
  'tok_capture_declined',
  'tok_timeout',
  'tok_lost',
  'tok_unavailable',
  'tok_capture_timeout',
  'tok_webhooks_late',
  'tok_webhooks_twice',
  'tok_webhooks_reversed',
)
const sku = fc.constantFrom('mug', 'notebook', 'pen')
const user = fc.integer({ min: 1, max: 3 })
/** Few, so that customers meet at the same order and the same cart. */
const orderId = fc.integer({ min: 1, max: 12 })
const cartId = fc.constantFrom('019b76da-0000-7000-8000-000000000001', '019b76da-0000-7000-8000-000000000002')
const line = fc.record({ sku, quantity: fc.integer({ min: 1, max: 3 }) })

export default simulation('the whole shop', {
  system: shop,
  environment: { PAYMENT_WEBHOOK_SECRET: SECRET },
  state: customers,
  resources: ({ provider, mail }) => ({ payments: { provider: (clock: Clock) => provider.provider(clock) }, notifications: { mail } }),
  operations: {
    'place an order': {
      weight: 5,
      input: fc.record({
        id: orderId,
        user_id: user,
        card,
        lines: fc.uniqueArray(line, { selector: (of) => of.sku, minLength: 1, maxLength: 2 }),
      }),
      async run({ clientOf, state }, order) {
        const placed = await clientOf(orders).placeOrder.try(order)
        if (placed.ok) state.acknowledged.push(placed.value.order.id)
        return placed.ok ? placed.value.status : placed.error.code
      },
    },
    'call an order off': {
      weight: 1,
      input: fc.record({ id: orderId }),
      run: async ({ clientOf }, input) => outcome(await clientOf(orders).cancelOrder.try(input)),
    },
    'look at an order': {
      weight: 2,
      input: fc.record({ id: orderId }),
      run: async ({ clientOf }, input) => outcome(await clientOf(orders).getOrder.try(input)),
    },
    'put something into a cart': {
      weight: 2,
      input: fc.record({ id: cartId, sku, quantity: fc.integer({ min: 1, max: 3 }) }),
      run: async ({ clientOf }, input) => outcome(await clientOf(cart).putItem.try(input)),
    },
    'log in with a cart': {
      weight: 1,
      input: fc.record({ id: cartId, user_id: user }),
      run: async ({ clientOf }, input) => outcome(await clientOf(cart).mergeCart.try(input)),
    },
    'order a cart': {
      weight: 1,
      input: fc.record({ id: cartId }),
      run: async ({ clientOf }, input) => outcome(await clientOf(cart).checkout.try(input)),
    },
    register: {
      weight: 1,
      input: fc.record({ id: user, name: fc.constantFrom('Ada', 'Grace'), email: fc.constant('someone@example.org') }),
      run: async ({ clientOf }, input) => outcome(await clientOf(users).registerUser.try(input)),
    },
    'erase a user': {
      weight: 0.3,
      input: fc.record({ id: user }),
      async run({ clientOf, state }, input) {
        const erased = await clientOf(users).eraseUser.try(input)
        if (erased.ok) state.erased.add(input.id)
        return outcome(erased)
      },
    },
  },
  sometimes: {
    'an order is confirmed': published('orders.orderConfirmed'),
    'an order is cancelled': published('orders.orderCancelled'),
    'an order that was paid is called off': published('orders.orderRefunded'),
    'a user is erased': published('users.userErased'),
    'an event comes again': ({ trace }) => trace.filter(({ text }) => text.startsWith('event ') && text.endsWith(', again')).length,
    'an event comes before the one before it': passed('inbox.early-parked'),
    'a step of a checkout is undone': passed('saga.undone'),
    'a process dies at work on a checkout': ({ choices }) => choices.filter((choice) => /: saga\.[a-z-]+: crash/.test(choice)).length,
    'a commit is carried out and nobody knows': ({ trace }) =>
      trace.filter(({ text }) => text === 'the answer to COMMIT is lost: it was carried out').length,
  },
  invariants: {
    'the auditor finds nothing': async ({ databases, state, now, atRest }) => {
      const { provider, acknowledged, refused } = state
      const violations = await audit(databases, provider.book(), { atRest, now, acknowledged, refused })
      return violations.map(({ invariant, message }) => `${invariant}: ${message}`)
    },
    'who was erased is nobody for good': async ({ databases, state }) => {
      const { rows } = await databases['users']!.query<{ id: string }>('select id from users where name is not null or email is not null')
      const known = new Set(rows.map(({ id }) => id))
      return [...state.erased].filter((id) => known.has(String(id))).map((id) => `the erasure of user ${id} was answered, and he is known`)
    },
    'nobody gets a mail about nothing': async ({ databases, state }) => {
      const { rows } = await databases['notifications']!.query<{ id: string }>('select id from notifications')
      const known = new Set(rows.map(({ id }) => id))
      return [...state.mail.accepted].filter((id) => !known.has(id)).map((id) => `the mail ${id} is about no notification`)
    },
  },
})

function outcome(result: { readonly ok: true } | { readonly ok: false; readonly error: { readonly code: string } }): string {
  return result.ok ? 'done' : result.error.code
}

function published(type: string): (run: Run) => number {
  return ({ trace }) => trace.filter(({ text }) => text.startsWith(`publishes ${type}.`)).length
}

function passed(point: string): (run: Run) => number {
  return ({ crashPoints }) => crashPoints.get(point) ?? 0
}
