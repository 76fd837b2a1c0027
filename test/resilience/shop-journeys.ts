/** What customers do while a part of the shop is broken, and what they see of it: each journey is walked through the gateway and told in one word. */
import { randomUUID } from 'node:crypto'
import type { Journey, Outcome } from '../../shop/degradation/table.ts'
import { waitUntil } from '../services/wait-until.ts'
import type { Answer } from '../topologies/request.ts'
import { request } from '../topologies/request.ts'

type Walked = Exclude<Journey, 'later'>
export const ORDERING = ['checkout', 'order', 'firstOrder'] as const
type Ordering = (typeof ORDERING)[number]
export const LOOKING = ['browse', 'seeOrders'] as const
type Looking = (typeof LOOKING)[number]

const SKU = 'mug'
const LATER_MS = 60_000
const POLLS_UNTIL_TIME_PASSES = 50
/** Nobody waits longer for an answer, whatever is broken: the longest deadline of what customers ask, and what a busy machine takes on top. */
const PATIENCE_MS = 15_000

export class Journeys {
  readonly #gatewayUrl: string
  #newCustomer = ''
  #knownCustomer = ''
  #cart = ''
  /** The orders that were accepted while the part was broken. */
  readonly #accepted = new Map<Ordering, number | string>()
  /** What was refused then, to be asked again. */
  readonly #refused = new Map<Ordering, () => Promise<Answer>>()

  readonly #letTimePass: () => void

  constructor({ gatewayUrl, letTimePass }: { readonly gatewayUrl: string; readonly letTimePass: () => void }) {
    this.#gatewayUrl = gatewayUrl
    this.#letTimePass = letTimePass
  }

  /** Before anything is broken: somebody has looked at everything once, and is about to order. */
  async prepare(): Promise<void> {
    this.#accepted.clear()
    this.#refused.clear()
    this.#letTimePass()
    this.#newCustomer = await this.#register()
    this.#knownCustomer = await this.#register()
    this.#cart = randomUUID()
    expectStatus(await this.#put(this.#cart), 200)
    const merged = expectStatus(await this.#ask('POST', `/carts/${this.#cart}/merge`, { user_id: this.#knownCustomer }), 200)
    this.#cart = (merged.body as { id: string }).id
    const { body } = expectStatus(await this.#order(this.#knownCustomer), 200)
    await this.#confirmed((body as Placed).order.id)
    await this.#patiently('customers see everything, before anything is broken', async () => {
      const seen = [await this.#browse(), await this.#seeOrders()]
      return seen.every((outcome) => outcome === 'whole') || undefined
    })
  }

  /** All journeys at once. An order is `accepted` or `refused`, or something that it must not be. */
  async walk(): Promise<Record<Walked, string>> {
    const [browse, cart, checkout, order, firstOrder, seeOrders] = await Promise.all([
      this.#browse(),
      this.#fillCart(),
      this.#place('checkout', () => this.#ask('POST', `/carts/${this.#cart}/checkout`, {})),
      this.#placeUnder('order', randomUUID(), this.#knownCustomer),
      this.#placeUnder('firstOrder', randomUUID(), this.#newCustomer),
      this.#seeOrders(),
    ])
    return { browse, cart, checkout, order, firstOrder, seeOrders }
  }

  /** The journeys that only look, once more: on a machine that is busy something else may have been slow. */
  look(journey: Looking): Promise<string> {
    return journey === 'browse' ? this.#browse() : this.#seeOrders()
  }

  /** What becomes of an accepted order while the part is still broken: `whole` when it is confirmed all the same, which is waited for where it is expected. */
  async fate(journey: Ordering, expected: Outcome): Promise<Outcome> {
    const id = this.#accepted.get(journey)!
    if (expected === 'whole') await this.#confirmed(id)
    const { body } = await this.#ask('GET', `/orders/${id}`)
    return (body as { status: string }).status === 'placed' ? 'waits' : 'whole'
  }

  /** After the part is back: what was refused is asked again, and everything comes to its end. Rejects when it does not. */
  async catchUp(): Promise<void> {
    for (const [journey, again] of this.#refused) {
      const { body } = await this.#patiently('what was refused is accepted', async () => {
        const answer = await again()
        return answer.status === 200 ? answer : undefined
      })
      this.#accepted.set(journey, orderIn(body))
    }
    for (const id of this.#accepted.values()) {
      await this.#confirmed(id)
      await this.#patiently(`the customer has been told of order ${id}`, async () => {
        const { body } = await this.#ask('GET', `/notifications?order_id=${id}`)
        const sent = (body as { kind: string; status: string }[]).filter(({ status }) => status === 'sent').map(({ kind }) => kind)
        return sent.join() === 'order-placed,order-confirmed' ? sent : undefined
      })
    }
  }

  async #register(): Promise<string> {
    const { body } = expectStatus(await this.#ask('POST', '/users', { name: 'Eve', email: 'eve@example.com' }), 200)
    return (body as { id: string }).id
  }

  async #browse(): Promise<string> {
    const pages = await Promise.all(
      ['/products?limit=5', `/products/${SKU}`, `/stock/${SKU}`, `/recommendations?sku=${SKU}`].map((path) => this.#ask('GET', path)),
    )
    const [list, page, stock, recommended] = pages as [Answer, Answer, Answer, Answer]
    if (list.status !== 200 || page.status !== 200) return describe(list.status === 200 ? page : list)
    if (isStale(list) && isStale(page)) return 'stale'
    if (isUnavailable(stock)) return 'partly'
    if (recommended.headers.get('skerry-degraded')?.includes('answer=fallback') === true) return 'partly'
    return pages.find((answer) => !isWhole(answer)) === undefined ? 'whole' : pages.map(describe).join(', ')
  }

  async #fillCart(): Promise<string> {
    const id = randomUUID()
    const answer = await this.#put(id)
    if (isUnavailable(answer)) return 'refused'
    const { body, status } = await this.#ask('GET', `/carts/${id}`)
    const { items } = body as { items: unknown[] }
    return isWhole(answer) && status === 200 && items.length === 1 ? 'whole' : describe(answer)
  }

  async #seeOrders(): Promise<string> {
    const answer = await this.#ask('GET', `/orders?user_id=${this.#knownCustomer}`)
    if (isStale(answer)) return (answer.body as unknown[]).length > 0 ? 'stale' : 'stale, and empty'
    return isWhole(answer) ? 'whole' : describe(answer)
  }

  #placeUnder(journey: Ordering, key: string, customer: string): Promise<string> {
    return this.#place(journey, () => this.#order(customer, key))
  }

  async #place(journey: Ordering, ask: () => Promise<Answer>): Promise<string> {
    const answer = await ask()
    if (isUnavailable(answer)) {
      this.#refused.set(journey, ask)
      return 'refused'
    }
    if (answer.status !== 200) return describe(answer)
    this.#accepted.set(journey, orderIn(answer.body))
    return isStale(answer) ? 'stale' : isWhole(answer) ? 'accepted' : describe(answer)
  }

  async #confirmed(id: number | string): Promise<void> {
    await this.#patiently(`order ${id} is confirmed`, async () => {
      const { body } = await this.#ask('GET', `/orders/${id}`)
      const { status } = body as { status: string }
      if (status === 'cancelled') throw new Error(`Order ${id} is cancelled`)
      return status === 'confirmed' ? status : undefined
    })
  }

  /** What does not come at once may wait for a circuit breaker, or for its next attempt: then time passes. */
  #patiently<T>(awaited: string, condition: () => Promise<T | undefined>): Promise<T> {
    let polls = 0
    return waitUntil(awaited, LATER_MS, async () => {
      const value = await condition()
      if (value === undefined && ++polls % POLLS_UNTIL_TIME_PASSES === 0) this.#letTimePass()
      return value
    })
  }

  #order(customer: string, key: string = randomUUID()): Promise<Answer> {
    return this.#ask('POST', '/orders', { user_id: customer, product: SKU }, { 'idempotency-key': key })
  }

  #put(cart: string): Promise<Answer> {
    return this.#ask('PUT', `/carts/${cart}/items/${SKU}`, { quantity: 1 })
  }

  async #ask(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer> {
    const late = AbortSignal.timeout(PATIENCE_MS)
    const given = new Promise<never>((_, reject) =>
      late.addEventListener('abort', () => reject(new Error(`${method} ${path} was not answered within ${PATIENCE_MS} ms`))),
    )
    return Promise.race([request(method, this.#gatewayUrl + path, body, headers), given])
  }
}

interface Placed {
  readonly order: { readonly id: number | string }
}

function orderIn(body: unknown): number | string {
  const { order, order_id } = body as Partial<Placed> & { readonly order_id?: number | string }
  return order?.id ?? order_id!
}

function isWhole({ status, headers }: Answer): boolean {
  return status === 200 && !headers.has('skerry-degraded')
}

function isStale({ status, headers }: Answer): boolean {
  return status === 200 && /;answer=lastKnown;age=\d+$/.test(headers.get('skerry-degraded') ?? '')
}

/** It can be asked again, and is told when. */
function isUnavailable({ status, headers }: Answer): boolean {
  return status === 504 || (status === 503 && headers.has('retry-after'))
}

function describe({ status, headers, body }: Answer): string {
  return `${status} ${headers.get('skerry-degraded') ?? ''} ${JSON.stringify(body)?.slice(0, 300)}`
}

function expectStatus(answer: Answer, status: number): Answer {
  if (answer.status !== status) throw new Error(describe(answer))
  return answer
}
