/**
 * The provider's book: what it has done with whose money, each key once. Asked again under a key it answers what it answered before.
 * A void of an authorization that it has never seen is remembered, and the authorization is declined when it comes.
 */
import { CARDS, LIMIT_MINOR_UNITS } from './cards.ts'

export type OperationKind = 'authorization' | 'capture' | 'void' | 'refund'

export interface OperationRequest {
  readonly key: string
  readonly kind: OperationKind
  /** The key of the authorization that it is about; of an authorization its own. */
  readonly authorization: string
  /** Of an authorization, a capture or a refund. */
  readonly amount?: number
  readonly currency?: string
  readonly card?: string
}

export interface Operation extends OperationRequest {
  readonly status: 'succeeded' | 'declined'
  readonly reason?: string
  readonly at: string
}

export interface BookView {
  readonly operations: readonly Operation[]
  /** How many requests came under each key. */
  readonly requests: Readonly<Record<string, number>>
}

/** Keeps what the book would lose with the process. */
export interface Journal {
  append(operation: Operation): void
}

export class Book {
  readonly #operations = new Map<string, Operation>()
  readonly #requests = new Map<string, number>()
  readonly #journal: Journal

  constructor(earlier: readonly Operation[], journal: Journal) {
    this.#journal = journal
    for (const operation of earlier) this.#operations.set(operation.key, operation)
  }

  /** Counts a request, and says how many there have been under its key. */
  count(key: string): number {
    const requests = (this.#requests.get(key) ?? 0) + 1
    this.#requests.set(key, requests)
    return requests
  }

  find(key: string): Operation | undefined {
    return this.#operations.get(key)
  }

  /** Does it, or finds that it was done; undefined when the key was used for something else. */
  perform(request: OperationRequest, now: Date): Operation | undefined {
    const earlier = this.#operations.get(request.key)
    if (earlier !== undefined) return isSame(earlier, request) ? earlier : undefined
    const reason = this.#refusal(request)
    const operation: Operation = {
      ...request,
      ...this.#particulars(request),
      ...(reason === undefined ? { status: 'succeeded' } : { status: 'declined', reason }),
      at: now.toISOString(),
    }
    this.#journal.append(operation)
    this.#operations.set(request.key, operation)
    return operation
  }

  /** The card of an authorization, by whichever operation on it. */
  cardOf(request: OperationRequest): string | undefined {
    return request.card ?? this.#operations.get(request.authorization)?.card
  }

  view(): BookView {
    return { operations: [...this.#operations.values()], requests: Object.fromEntries(this.#requests) }
  }

  #refusal({ kind, authorization, amount = 0, currency, card }: OperationRequest): string | undefined {
    if (this.#done(authorization, 'void').length > 0) return kind === 'void' ? undefined : 'voided'
    if (kind === 'authorization') {
      const behaviour = card === undefined ? undefined : CARDS[card]
      if (behaviour === undefined) return 'invalid_card'
      return amount > LIMIT_MINOR_UNITS ? 'limit_exceeded' : behaviour.authorization?.declined
    }
    const authorized = this.#done(authorization, 'authorization')[0]
    if (kind === 'void') return this.#sum(authorization, 'capture') > 0 ? 'captured' : undefined
    if (authorized === undefined) return 'not_authorized'
    if (currency !== authorized.currency) return 'other_currency'
    if (kind === 'refund')
      return amount + this.#sum(authorization, 'refund') > this.#sum(authorization, 'capture') ? 'more_than_captured' : undefined
    const behaviour = CARDS[authorized.card ?? '']
    if (behaviour?.capture !== undefined) return behaviour.capture.declined
    if (this.#sum(authorization, 'capture') > 0) return 'captured'
    return amount > (authorized.amount ?? 0) ? 'more_than_authorized' : undefined
  }

  /** A void is of all that was authorized. */
  #particulars({ kind, authorization }: OperationRequest): { amount?: number; currency?: string } {
    const authorized = kind === 'void' ? this.#done(authorization, 'authorization')[0] : undefined
    if (authorized?.amount === undefined || authorized.currency === undefined) return {}
    return { amount: authorized.amount, currency: authorized.currency }
  }

  #sum(authorization: string, kind: OperationKind): number {
    return this.#done(authorization, kind).reduce((sum, { amount = 0 }) => sum + amount, 0)
  }

  #done(authorization: string, kind: OperationKind): Operation[] {
    return [...this.#operations.values()].filter(
      (operation) => operation.authorization === authorization && operation.kind === kind && operation.status === 'succeeded',
    )
  }
}

function isSame(a: Operation, b: OperationRequest): boolean {
  return (
    a.kind === b.kind &&
    a.authorization === b.authorization &&
    (b.kind === 'void' || (a.amount === b.amount && a.currency === b.currency && a.card === b.card))
  )
}
