/** The port to whoever moves the money. What an adapter promises: the same key never moves it twice, and a failure says what is known. */
import type { Money } from '@shop/payments-contract'
import type { RequestKind } from './tables.ts'

export interface ProviderRequest {
  /** Under which the provider recognises a repetition. */
  readonly key: string
  readonly kind: RequestKind
  /** The key of the authorization that it is about. */
  readonly authorizationKey: string
  readonly amount: Money
  readonly card: string
}

export type ProviderOutcome = { readonly status: 'succeeded' } | { readonly status: 'declined'; readonly reason: string }

/** How long the provider may take for one answer. After it the outcome is `unknown`. */
export const PROVIDER_DEADLINE_MS = 5_000

export interface PaymentProvider {
  /** Does it, or says what became of it when it was done before. Rejects with a `ProviderError`. */
  perform(request: ProviderRequest): Promise<ProviderOutcome>
  /** What became of a request; undefined when it has never arrived. Rejects with a `ProviderError`. */
  find(key: string): Promise<ProviderOutcome | undefined>
}

export class ProviderError extends Error {
  override readonly name = 'ProviderError'
  /** `not done`: it has refused the request, or was not reached. `unknown`: it may have done it. */
  readonly outcome: 'not done' | 'unknown'

  constructor(outcome: 'not done' | 'unknown', message: string, options?: ErrorOptions) {
    super(message, options)
    this.outcome = outcome
  }
}
