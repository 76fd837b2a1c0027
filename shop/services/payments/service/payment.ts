/**
 * What a command means for a payment, decided from its state alone.
 *
 *     (none) ─ authorize ─▶ authorizing ─▶ authorized ─ capture ─▶ capturing ─▶ captured (refunds follow)
 *        │                       └─▶ declined ◀─────────────────────────┘
 *        │                              └─ authorize with another card ─▶ authorizing
 *        └─ void ─▶ voided ◀── voiding ◀─ void ── authorizing, authorized
 *
 * The words in -ing are written before the provider is asked, so that of a capture and a void that race one wins, and whoever finds
 * a payment in such a state asks again under the same key.
 */
import type { Money, Payment } from '@shop/payments-contract'
import type { PaymentRow, RequestKind, RequestRow } from './tables.ts'

export type Command =
  | { readonly kind: 'authorize'; readonly amount: Money; readonly card: string }
  | { readonly kind: 'capture' }
  | { readonly kind: 'void' }
  | { readonly kind: 'refund'; readonly refundId: string; readonly amount: Money }

export type Decision =
  /** Write the status and the request, then ask the provider. */
  | { readonly kind: 'ask'; readonly status: Payment['status']; readonly attempt: number }
  /** It is asked already, and the answer is missing: ask again under the same key. */
  | { readonly kind: 'ask again'; readonly key: string }
  /** Nobody needs to be asked; what comes later must know. */
  | { readonly kind: 'close' }
  | { readonly kind: 'done' }
  | { readonly kind: 'refuse'; readonly refusal: Refusal }

export type Refusal =
  | { readonly code: 'paymentDeclined' | 'refundDeclined'; readonly reason: string }
  | { readonly code: 'refundTooLarge'; readonly refundable: number }
  | {
      readonly code: 'paymentVoided' | 'paymentDiffers' | 'paymentNotAuthorized' | 'paymentCaptured' | 'paymentNotCaptured' | 'refundExists'
    }

/** `earlier` is the request that was made under the name of a refund. */
export function decide(command: Command, orderId: string, payment: PaymentRow | undefined, earlier: RequestRow | undefined): Decision {
  switch (command.kind) {
    case 'authorize':
      return authorize(command, orderId, payment)
    case 'capture':
      return capture(orderId, payment)
    case 'void':
      return giveUp(orderId, payment)
    case 'refund':
      return refund(command, payment, earlier)
  }
}

/** The name under which the provider is asked, the same for ever. */
export function keyOf(orderId: string, kind: RequestKind, which: number | string): string {
  return `${orderId}:${kind}:${which}`
}

function authorize({ amount, card }: { amount: Money; card: string }, orderId: string, payment: PaymentRow | undefined): Decision {
  if (payment === undefined) return { kind: 'ask', status: 'authorizing', attempt: 1 }
  if (payment.status === 'voiding' || payment.status === 'voided') return refuse({ code: 'paymentVoided' })
  if (payment.amount !== amount.minor_units || payment.currency !== amount.currency) return refuse({ code: 'paymentDiffers' })
  if (payment.card !== card)
    return payment.status === 'declined'
      ? { kind: 'ask', status: 'authorizing', attempt: payment.attempt + 1 }
      : refuse({ code: 'paymentDiffers' })
  if (payment.status === 'authorizing') return { kind: 'ask again', key: keyOf(orderId, 'authorize', payment.attempt) }
  return payment.status === 'declined' ? refuseDeclined(payment) : { kind: 'done' }
}

function capture(orderId: string, payment: PaymentRow | undefined): Decision {
  switch (payment?.status) {
    case undefined:
    case 'authorizing':
      return refuse({ code: 'paymentNotAuthorized' })
    case 'authorized':
      return { kind: 'ask', status: 'capturing', attempt: payment.attempt }
    case 'capturing':
      return { kind: 'ask again', key: keyOf(orderId, 'capture', payment.attempt) }
    case 'captured':
      return { kind: 'done' }
    case 'declined':
      return refuseDeclined(payment)
    case 'voiding':
    case 'voided':
      return refuse({ code: 'paymentVoided' })
  }
}

function giveUp(orderId: string, payment: PaymentRow | undefined): Decision {
  switch (payment?.status) {
    case undefined:
    case 'declined':
      return { kind: 'close' }
    case 'authorizing':
    case 'authorized':
      return { kind: 'ask', status: 'voiding', attempt: payment.attempt }
    case 'voiding':
      return { kind: 'ask again', key: keyOf(orderId, 'void', payment.attempt) }
    case 'voided':
      return { kind: 'done' }
    case 'capturing':
    case 'captured':
      return refuse({ code: 'paymentCaptured' })
  }
}

function refund({ amount }: { amount: Money }, payment: PaymentRow | undefined, earlier: RequestRow | undefined): Decision {
  if (payment?.status !== 'captured') return refuse({ code: 'paymentNotCaptured' })
  if (earlier !== undefined) {
    if (earlier.amount !== amount.minor_units || earlier.currency !== amount.currency) return refuse({ code: 'refundExists' })
    if (earlier.state === 'pending') return { kind: 'ask again', key: earlier.key }
    return earlier.state === 'succeeded' ? { kind: 'done' } : refuse({ code: 'refundDeclined', reason: earlier.reason ?? 'declined' })
  }
  const refundable = payment.currency === amount.currency ? payment.captured - payment.refunds_requested : 0
  if (amount.minor_units > refundable) return refuse({ code: 'refundTooLarge', refundable })
  return { kind: 'ask', status: 'captured', attempt: payment.attempt }
}

function refuseDeclined({ reason }: PaymentRow): Decision {
  return refuse({ code: 'paymentDeclined', reason: reason ?? 'declined' })
}

function refuse(refusal: Refusal): Decision {
  return { kind: 'refuse', refusal }
}
