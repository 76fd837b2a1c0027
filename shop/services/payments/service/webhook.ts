/** Whether a webhook is the provider's, and what it says. Nothing in it is believed before its signature has been checked. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { SignedWebhook } from '@shop/payments-contract'
import { z } from 'zod'
import type { ProviderOutcome } from './provider.ts'

export interface ProviderEvent {
  readonly id: string
  readonly type: string
  readonly key: string
  readonly amount: number | undefined
  readonly outcome: ProviderOutcome
}

export type ReadWebhook = { readonly ok: true; readonly event: ProviderEvent } | { readonly ok: false; readonly why: string }

/** A signature older than this may have been recorded and sent again by somebody else. */
const TOLERANCE_MS = 5 * 60_000

const Header = z.object({ alg: z.literal('HS256'), iat: z.number() })
const Text = z
  .string()
  .max(300)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u)
const Payload = z.object({
  id: Text,
  type: Text,
  operation: z.object({ key: Text, amount: z.int().optional(), status: z.enum(['succeeded', 'declined']), reason: Text.optional() }),
})

export function readWebhook(webhook: SignedWebhook, secret: string, now: Date): ReadWebhook {
  const expected = createHmac('sha256', secret).update(`${webhook.protected}.${webhook.payload}`).digest()
  const given = Buffer.from(webhook.signature, 'base64url')
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return { ok: false, why: 'the signature is not right' }
  const header = Header.safeParse(parse(webhook.protected))
  if (!header.success) return { ok: false, why: 'the header needs alg HS256 and iat' }
  if (Math.abs(now.getTime() - header.data.iat * 1_000) > TOLERANCE_MS)
    return { ok: false, why: 'it was signed too long ago, or in the future' }
  const payload = Payload.safeParse(parse(webhook.payload))
  if (!payload.success) return { ok: false, why: 'it is not a webhook of the provider' }
  const { id, type, operation } = payload.data
  const outcome =
    operation.status === 'succeeded'
      ? ({ status: 'succeeded' } as const)
      : ({ status: 'declined', reason: operation.reason ?? 'declined' } as const)
  return { ok: true, event: { id, type, key: operation.key, amount: operation.amount, outcome } }
}

function parse(base64url: string): unknown {
  try {
    return JSON.parse(Buffer.from(base64url, 'base64url').toString('utf8'))
  } catch {
    return undefined
  }
}
