/** The test cards: what happens to a payment is decided by the token of the card it is made with. */

export interface CardBehaviour {
  /** Declined when it is authorized, for this reason. */
  readonly authorization?: { readonly declined: string }
  /** The same when it is captured. */
  readonly capture?: { readonly declined: string }
  /** What the first request of a kind meets; those that repeat it are answered. */
  readonly firstRequest?: { readonly kind: 'authorization' | 'capture' | 'refund'; readonly fault: Fault }
  /** How long every answer takes. Default: 0. */
  readonly answerAfterMs?: number
  readonly webhooks?: 'late' | 'twice' | 'reversed' | 'none'
}

export type Fault =
  /** It is done, and no answer is ever sent. */
  | 'silent after doing it'
  /** It is not done, and no answer is ever sent. */
  | 'silent before doing it'
  /** It is not done: 503. */
  | 'unavailable'

/** Anybody may pay with these; any other token is declined as `invalid_card`. */
export const CARDS: Readonly<Record<string, CardBehaviour>> = {
  tok_ok: {},
  tok_declined: { authorization: { declined: 'insufficient_funds' } },
  tok_capture_declined: { capture: { declined: 'authorization_expired' } },
  tok_timeout: { firstRequest: { kind: 'authorization', fault: 'silent after doing it' } },
  tok_lost: { firstRequest: { kind: 'authorization', fault: 'silent before doing it' } },
  tok_unavailable: { firstRequest: { kind: 'authorization', fault: 'unavailable' } },
  tok_capture_timeout: { firstRequest: { kind: 'capture', fault: 'silent after doing it' } },
  tok_refund_timeout: { firstRequest: { kind: 'refund', fault: 'silent after doing it' } },
  tok_timeout_no_webhooks: { firstRequest: { kind: 'authorization', fault: 'silent after doing it' }, webhooks: 'none' },
  tok_slow: { answerAfterMs: 2_000 },
  tok_webhooks_late: { webhooks: 'late' },
  tok_webhooks_twice: { webhooks: 'twice' },
  tok_webhooks_reversed: { webhooks: 'reversed' },
}

/** No card pays more than this at once. */
export const LIMIT_MINOR_UNITS = 10_000_000
