/** What payments keeps while it runs: the connections to the provider, and in development the provider's sandbox itself. */
import { join } from 'node:path'
import type { Clock } from 'skerry/engine'
import type { Log } from 'skerry/service'
import { Agent } from 'undici'
import type { PaymentConfig } from './config.ts'
import { httpProvider } from './http-provider.ts'
import type { PaymentProvider } from './provider.ts'
import { startSandbox } from './sandbox-process.ts'

export interface PaymentResources extends AsyncDisposable {
  readonly provider: (clock: Clock) => PaymentProvider
}

export async function openResources(config: PaymentConfig, log: Log): Promise<PaymentResources> {
  const held = new AsyncDisposableStack()
  const connections = held.adopt(new Agent(), (agent) => agent.destroy())
  const url = config.PAYMENT_PROVIDER_URL ?? held.use(await startSandbox(sandboxOptions(config))).url
  if (config.PAYMENT_PROVIDER_URL === undefined)
    log.info('Payments go to a sandbox: nobody is charged. Set PAYMENT_PROVIDER_URL for a real provider', { url })
  return {
    provider: (clock) => httpProvider({ baseUrl: url, connections, clock }),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

function sandboxOptions({ PAYMENT_WEBHOOK_URL, PAYMENT_WEBHOOK_SECRET, PORT, SKERRY_DATA }: PaymentConfig) {
  // On port 0 nobody can know where this service will listen; what no webhook tells is then asked for.
  const webhookUrl = PAYMENT_WEBHOOK_URL ?? (/^[1-9]\d*$/.test(PORT) ? `http://127.0.0.1:${PORT}/webhooks/provider` : undefined)
  return {
    webhookSecret: PAYMENT_WEBHOOK_SECRET,
    webhookUrl,
    bookFile: SKERRY_DATA === 'memory' ? undefined : join(SKERRY_DATA, 'provider-sandbox', 'book.jsonl'),
  }
}
