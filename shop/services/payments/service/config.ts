/** What payments reads from the environment. */
import { z } from 'zod'

/** Known to everybody who can read this file, so it signs nothing but the sandbox's own webhooks. */
const SANDBOX_SECRET = 'the sandbox signs with this, and nobody else'

export const PaymentConfig = z
  .object({
    /** Where the payment provider is. Default: a sandbox that this service starts, which charges nobody. */
    PAYMENT_PROVIDER_URL: z.url({ protocol: /^https?$/, error: 'expected a URL that begins with http:// or https://' }).optional(),
    /** With which the provider signs its webhooks. */
    PAYMENT_WEBHOOK_SECRET: z.string().min(16, 'expected at least 16 characters').default(SANDBOX_SECRET),
    /** Where the sandbox sends its webhooks. Default: POST /webhooks/provider on PORT of this machine. */
    PAYMENT_WEBHOOK_URL: z.url({ protocol: /^https?$/ }).optional(),
    PORT: z.string().default('8080'),
    SKERRY_DATA: z.string().default('.skerry'),
    NODE_ENV: z.string().optional(),
  })
  .superRefine((config, context) => {
    if (config.PAYMENT_PROVIDER_URL === undefined && config.NODE_ENV === 'production')
      context.addIssue({
        code: 'custom',
        path: ['PAYMENT_PROVIDER_URL'],
        message: 'is missing: with NODE_ENV=production nobody pays with a sandbox. Set it to the address of the payment provider',
      })
    if (config.PAYMENT_PROVIDER_URL !== undefined && config.PAYMENT_WEBHOOK_SECRET === SANDBOX_SECRET)
      context.addIssue({
        code: 'custom',
        path: ['PAYMENT_WEBHOOK_SECRET'],
        message: 'is missing: set it to the secret with which the provider at PAYMENT_PROVIDER_URL signs its webhooks',
      })
  })
export type PaymentConfig = z.output<typeof PaymentConfig>
