/**
 * What customers see of the shop while a part of it is stopped, hangs or is slow: one outcome for each part, fault and journey. Kept to by
 * test/resilience/kill-matrix.test.ts, which makes every fault and walks every journey; docs/shop.md shows it.
 */
export const FAULTS = ['stopped', 'hung', 'slow'] as const
export type Fault = (typeof FAULTS)[number]

export const JOURNEYS = {
  browse: 'look through the products, at one of them with its stock and what goes with it',
  cart: 'put a product into a new cart and look at the cart',
  checkout: 'order what is in a cart',
  order: 'place an order, by a customer who has ordered before',
  firstOrder: 'place an order, by a customer who never has',
  seeOrders: 'look at the orders so far',
  later: 'after the fault: what was accepted is confirmed and told, what was refused is accepted',
} as const
export type Journey = keyof typeof JOURNEYS

export const OUTCOMES = {
  whole: 'as always',
  stale: 'with what was known last, marked so',
  partly: 'a part is missing, and it says which',
  waits: 'accepted, and done when the part is back',
  refused: '503 or 504 with nothing lost: the same again later is accepted',
} as const
export type Outcome = keyof typeof OUTCOMES

/** For each fault, or the same for all of them. */
type Cell = Outcome | Readonly<Record<Fault, Outcome>>
type Row = Readonly<Record<Exclude<Journey, 'later'>, Cell>>

const broken = (outcome: Outcome): Cell => ({ stopped: outcome, hung: outcome, slow: 'whole' })
const untouched: Row = { browse: 'whole', cart: 'whole', checkout: 'whole', order: 'whole', firstOrder: 'whole', seeOrders: 'whole' }
/** The order is taken, and its checkout goes on when it can. */
const orderWaits = { checkout: broken('waits'), order: broken('waits'), firstOrder: broken('waits') }

export const degradation = {
  // Orders knows who has ordered before. Who has not cannot be told from somebody who does not exist.
  users: { ...untouched, firstOrder: broken('refused') },
  // Carts keep the prices they were told. Orders sells at those of the last minutes, and says so.
  catalog: { ...untouched, browse: broken('stale'), checkout: broken('stale'), order: broken('stale'), firstOrder: broken('stale') },
  // How many there are is not known; an order finds out later.
  inventory: { ...untouched, browse: broken('partly'), ...orderWaits },
  payments: { ...untouched, ...orderWaits },
  provider: { ...untouched, ...orderWaits },
  // The cart stays as it is, and is ordered by asking again.
  orders: {
    ...untouched,
    checkout: broken('refused'),
    order: broken('refused'),
    firstOrder: broken('refused'),
    seeOrders: broken('stale'),
  },
  cart: { ...untouched, cart: broken('refused'), checkout: broken('refused') },
  // Nobody waits for a part that decides nothing, so slow is as good as down.
  recommendations: { ...untouched, browse: 'partly' },
  notifications: untouched,
  // What is to be told waits in the outboxes, in order.
  broker: untouched,
} as const satisfies Readonly<Record<string, Row>>
export type Part = keyof typeof degradation

export function outcomeOf(part: Part, fault: Fault, journey: Exclude<Journey, 'later'>): Outcome {
  const cell: Cell = degradation[part][journey]
  return typeof cell === 'string' ? cell : cell[fault]
}
