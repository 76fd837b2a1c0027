/**
 * Customers of the shop, and those who work there, who never give up: a request without a good answer is repeated as it was. They keep a
 * list of what they were promised.
 */
import { randomUUID } from 'node:crypto'
import type { Answer } from '../topologies/request.ts'
import { request } from '../topologies/request.ts'
import type { Addresses } from '../topologies/topology.ts'

/** One after the other, so that everything goes on at the same time. */
const VISITS = ['buys', 'declined', 'callsOff', 'buysTooMuch', 'returns', 'unanswered', 'mistypes', 'leaves'] as const
const LANES = 6
/** A customer does not ask again in the same millisecond. */
const PAUSE_MS = 100
/** Each leaves a request to the provider open until a schedule asks about it: some are enough. */
const MOST_UNANSWERED = 12

export class Shoppers {
  /** Orders that were answered with 2xx. */
  readonly acknowledged: (string | number)[] = []
  /** Orders that were answered with 4xx. */
  readonly refused: string[] = []
  readonly #at: Addresses
  #unanswered = 0
  #going = true

  constructor(at: Addresses) {
    this.#at = at
  }

  /** Resolves after `close`, when everybody has got his answer. */
  async run(): Promise<void> {
    let visits = 0
    const customers = async (): Promise<void> => {
      while (this.#going) await this[VISITS[visits++ % VISITS.length]!]()
    }
    // These wait for no order, so they go on where one service waits for another to come back.
    const carts = async (): Promise<void> => {
      while (this.#going) await this.fillsCart()
    }
    const staff = async (): Promise<void> => {
      for (let round = 0; this.#going; round++) {
        await this.#work(round)
        await pause()
      }
    }
    await Promise.all([carts(), staff(), ...Array.from({ length: LANES }, customers)])
  }

  /** Nobody comes in any more. */
  close(): void {
    this.#going = false
  }

  async buys(card = 'tok_ok', lines = [line('mug', 2), line('tea-green', 1)]): Promise<string | number> {
    const key = { 'idempotency-key': randomUUID() }
    const { body } = await this.#ask('POST', '/orders/', { user_id: 1, card, lines }, key)
    const { id } = (body as { order: { id: string } }).order
    this.acknowledged.push(id)
    await this.#becomesFinal(id)
    return id
  }

  async declined(): Promise<void> {
    await this.buys('tok_declined')
  }

  async buysTooMuch(): Promise<void> {
    await this.buys('tok_ok', [line('honey', 1), line('lighthouse', 1_000)])
  }

  async callsOff(card = 'tok_ok'): Promise<void> {
    const id = randomUUID()
    await this.#ask('POST', '/orders', { id, user_id: 2, product: 'kettle', card })
    this.acknowledged.push(id)
    await this.#ask('POST', `/orders/${id}/cancel`, {})
  }

  async returns(): Promise<void> {
    const id = await this.buys('tok_webhooks_twice', [line('biscuits', 3)])
    await this.#ask('POST', `/orders/${id}/cancel`, {})
  }

  /** The provider never answers the first request for his money, and he does not wait for it. */
  async unanswered(): Promise<void> {
    if (this.#unanswered++ < MOST_UNANSWERED) await this.callsOff('tok_lost')
    else await this.buys()
  }

  async mistypes(): Promise<void> {
    const id = randomUUID()
    const { status } = await this.#ask('POST', '/orders', { id, user_id: 2, product: 'unicorn' })
    if (status !== 422) throw new Error(`An order for a unicorn was answered with ${status}`)
    this.refused.push(id)
  }

  /** Wants to be forgotten before he has got what he has ordered. */
  async leaves(): Promise<void> {
    const user_id = randomUUID()
    await this.#ask('POST', '/users', { id: user_id, name: 'Fay', email: 'fay@example.com' })
    const id = randomUUID()
    await this.#ask('POST', '/orders', { id, user_id, product: 'kettle' })
    this.acknowledged.push(id)
    const erased = await this.#ask('DELETE', `/users/${user_id}`)
    if (erased.status !== 204) throw new Error(`An erasure was answered with ${erased.status}`)
    const { status, body } = await this.#ask('POST', '/orders', { user_id, product: 'kettle' })
    // With users away, orders knows him for one who has ordered before until it has heard that he was erased; then it calls the order off.
    if (status === 200) this.acknowledged.push((body as { order: { id: string } }).order.id)
    else if (status !== 400) throw new Error(`An order for somebody who was erased was answered with ${status}`)
  }

  async fillsCart(): Promise<void> {
    const { body } = await this.#ask('POST', '/users', { id: randomUUID(), name: 'Eve', email: 'eve@example.com' })
    const cart = `/carts/${randomUUID()}`
    await this.#ask('PUT', `${cart}/items/candle`, { quantity: 1 })
    await this.#ask('PUT', `${cart}/items/ink`, { quantity: 2 })
    await this.#ask('POST', `${cart}/merge`, { user_id: (body as { id: string }).id })
    const ordered = await this.#ask('POST', `${cart}/checkout`, {})
    if (ordered.status === 200) return void this.acknowledged.push((ordered.body as { order_id: string }).order_id)
    // The price of candles changes all the time: he does without.
    await this.#ask('DELETE', `${cart}/items/candle`)
    const { body: without } = await this.#ask('POST', `${cart}/checkout`, {})
    this.acknowledged.push((without as { order_id: string }).order_id)
  }

  /** What goes on besides: people register, pieces arrive, prices change, and people look at what there is. */
  async #work(round: number): Promise<void> {
    const { inventory, catalog } = this.#at.serviceUrls
    const arrived = { id: randomUUID(), quantity: 50, reason: 'delivery' }
    const price = { minor_units: 1_000 + round, currency: 'EUR' }
    const last = this.acknowledged.at(-1) ?? 1
    await Promise.all([
      this.#ask('POST', '/users', { id: randomUUID(), name: 'Ned', email: 'ned@example.com' }),
      this.#ask('POST', `/stock/${round % 2 === 0 ? 'mug' : 'kettle'}/adjustments`, arrived, {}, inventory),
      ...(round % 3 === 0 ? [this.#ask('PUT', '/products/candle/price', { price }, {}, catalog)] : []),
      this.#look(`${this.#at.gatewayUrl}/recommendations?sku=mug`),
      this.#look(`${this.#at.gatewayUrl}/notifications?order_id=${last}`),
    ])
  }

  /** Once: who gets no answer here goes on without. */
  async #look(url: string): Promise<void> {
    await request('GET', url).catch(() => undefined)
  }

  async #becomesFinal(id: string | number): Promise<void> {
    for (;;) {
      const { body } = await this.#ask('GET', `/orders/${id}`)
      if ((body as { status: string }).status !== 'placed') return
      await pause()
    }
  }

  /** The first answer that decides something. Default: through the gateway. */
  async #ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
    at: string = this.#at.gatewayUrl,
  ): Promise<Answer> {
    for (;;) {
      try {
        const answer = await request(method, at + path, body, headers)
        if (answer.status < 500) return answer
      } catch {
        // No answer is like a bad one.
      }
      await pause()
    }
  }
}

const line = (sku: string, quantity: number) => ({ sku, quantity })
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
