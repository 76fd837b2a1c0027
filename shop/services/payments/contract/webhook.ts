/**
 * A webhook as it arrives: a flattened JWS (RFC 7515, 7.2.2). What is signed travels as text inside the JSON, so the signature holds
 * whatever parses and writes the body on the way.
 */
import { z } from 'zod'

const base64url = (maxCharacters: number) =>
  z
    .string()
    .min(1)
    .max(maxCharacters)
    .regex(/^[A-Za-z0-9_-]*$/, 'expected base64url')

export const SignedWebhook = z.object({ protected: base64url(1_000), payload: base64url(100_000), signature: base64url(100) })
export type SignedWebhook = z.output<typeof SignedWebhook>
