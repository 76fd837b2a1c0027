/**
 * Customers who place orders and confirm them, over HTTP, and never give up: a request without a good answer is repeated
 * as it was. At the end it knows what must be true.
 */
import { waitUntil } from '../services/wait-until.ts'

/** Where the two services answer: the same gateway, or each its own listener. */
export interface Addresses {
  readonly orders: string
  readonly notifications: string
}

interface Customer {
  readonly id: number
  readonly product: string
  done: 'nothing' | 'placed' | 'confirmed'
}

interface History {
  readonly id: number
  readonly events: readonly string[]
  readonly state: readonly string[]
  readonly projected: readonly string[]
}

interface Notification {
  readonly order_id: number
  readonly kind: string
}

const ATTEMPT_TIMEOUT_MS = 8_000
const REFUSED_PAUSE_MS = 50
const PRODUCTS = ['kettle', 'cup', 'fails-once', 'teapot', 'rejected']
const SETTLE_MS = 60_000

export interface WorkloadOptions {
  /** Between two orders of one lane. Default: none. */
  readonly pauseMs?: number
}

export class Workload {
  readonly #customers: Customer[] = []
  readonly #pauseMs: number
  #nextId = 1
  /** Answers other than 2xx, by status. */
  readonly refusals: { readonly status: number; readonly retryAfter: string | null; readonly code: unknown }[] = []

  constructor({ pauseMs = 0 }: WorkloadOptions = {}) {
    this.#pauseMs = pauseMs
  }

  get acknowledged(): number {
    return this.#customers.filter(({ done }) => done !== 'nothing').length
  }

  /** Orders are placed and confirmed, several at a time, until `ended` is settled; those under way are then left as they are. */
  async run(at: Addresses, ended: Promise<unknown>, products: readonly string[] = PRODUCTS): Promise<void> {
    let going = true
    const end = (): void => void (going = false)
    void ended.then(end, end)
    const lane = async (): Promise<void> => {
      while (going) {
        const id = this.#nextId++
        const customer: Customer = { id, product: products[id % products.length]!, done: 'nothing' }
        this.#customers.push(customer)
        do await this.#serve(at, customer)
        while (going && customer.done !== 'confirmed')
        if (this.#pauseMs > 0) await pause(this.#pauseMs)
      }
    }
    await Promise.all(Array.from({ length: 4 }, lane))
  }

  /** Places and confirms this many orders. */
  async place(at: Addresses, count: number, products: readonly string[] = PRODUCTS): Promise<void> {
    const until = this.#nextId + count
    const served = async (): Promise<void> => {
      while (this.#nextId < until) {
        const id = this.#nextId++
        const customer: Customer = { id, product: products[id % products.length]!, done: 'nothing' }
        this.#customers.push(customer)
        await this.#serve(at, customer)
      }
    }
    await Promise.all(Array.from({ length: 4 }, served))
  }

  /** Every request that has had no good answer is repeated until it has one. */
  async finish(at: Addresses): Promise<void> {
    const unfinished = this.#customers.filter(({ done }) => done !== 'confirmed')
    await Promise.all(
      unfinished.map((customer) =>
        waitUntil(`order ${customer.id} is confirmed`, SETTLE_MS, async () => {
          await this.#serve(at, customer)
          return customer.done === 'confirmed' ? true : undefined
        }),
      ),
    )
  }

  /**
   * Waits until every order that was acknowledged is there, with exactly one notification of each kind, in order; until those that can
   * never be handled are dead letters; and until nothing is left unsent. Anything else fails, with what was seen.
   */
  async verify(at: Addresses): Promise<void> {
    let difference = ''
    await waitUntil(
      'all orders are there and notified once, in order',
      SETTLE_MS,
      async () => {
        difference = await this.#difference(at)
        return difference === '' ? true : undefined
      },
      async () => difference,
    )
  }

  async #serve(at: Addresses, customer: Customer): Promise<void> {
    const { id, product } = customer
    if (customer.done === 'nothing' && (await this.#post(`${at.orders}/orders`, { id, product }))) customer.done = 'placed'
    if (customer.done === 'placed' && (await this.#post(`${at.orders}/orders/${id}/confirmation`, {}))) customer.done = 'confirmed'
  }

  /** True when the answer was good. A connection that fails is no answer. */
  async #post(url: string, body: unknown): Promise<boolean> {
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(ATTEMPT_TIMEOUT_MS),
      })
      const answer = (await response.json()) as { code?: unknown }
      if (response.ok) return true
      this.refusals.push({ status: response.status, retryAfter: response.headers.get('retry-after'), code: answer.code })
    } catch {
      // No answer is like a bad one.
    }
    // A customer does not ask again in the same millisecond: an outage would be met by ten thousand of them.
    await pause(REFUSED_PAUSE_MS)
    return false
  }

  async #difference(at: Addresses): Promise<string> {
    const read = async <T>(url: string): Promise<T> => {
      const response = await fetch(url)
      const answer = await response.text()
      if (!response.ok) throw new Error(`${url} answered ${response.status}: ${answer}`)
      return JSON.parse(answer) as T
    }
    const orders = new Map((await read<{ id: number; confirmed: boolean }[]>(`${at.orders}/orders`)).map((order) => [order.id, order]))
    const kinds = new Map<number, string[]>()
    for (const { order_id, kind } of await read<Notification[]>(`${at.notifications}/notifications`))
      kinds.set(order_id, [...(kinds.get(order_id) ?? []), kind])
    const dead = new Set((await read<{ key: string }[]>(`${at.notifications}/dead-letters`)).map(({ key }) => Number(key)))
    const histories = await read<History[]>(`${at.orders}/orders-histories`)
    const { events } = await read<{ events: number }>(`${at.orders}/orders-unsent`)
    const wrong: string[] = []
    for (const { id, product, done } of this.#customers) {
      const seen = kinds.get(id) ?? []
      if (done !== 'nothing' && !orders.has(id)) wrong.push(`order ${id} was acknowledged and is gone`)
      const expected = !orders.has(id) || product === 'rejected' ? [] : orders.get(id)!.confirmed ? ['placed', 'confirmed'] : ['placed']
      if (seen.join() !== expected.join()) wrong.push(`order ${id} (${product}) is notified [${seen.join()}], not [${expected.join()}]`)
      if (orders.has(id) && dead.has(id) !== (product === 'rejected'))
        wrong.push(`order ${id} (${product}) is ${dead.has(id) ? 'a' : 'no'} dead letter`)
    }
    for (const history of histories) {
      const expected = orders.get(history.id)?.confirmed === true ? 'placed,confirmed' : 'placed'
      for (const what of ['events', 'state', 'projected'] as const)
        if (history[what].join() !== expected) wrong.push(`order ${history.id} has ${what} [${history[what].join()}], not [${expected}]`)
    }
    for (const id of [...orders.keys(), ...kinds.keys()])
      if (!this.#customers.some((customer) => customer.id === id)) wrong.push(`nobody placed order ${id}`)
    if (events > 0) wrong.push(`${events} events are unsent`)
    return wrong.length > 10 ? `${wrong.slice(0, 10).join('; ')}; and ${wrong.length - 10} more` : wrong.join('; ')
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
