/** A provider for a test: it lives in the time of the test, and waits where the test wants it to. */
import type { Clock } from 'skerry/engine'
import { systemClock } from 'skerry/engine'
import type { OperationKind, ProviderSandbox } from './sandbox.ts'
import { startProviderSandbox } from './sandbox.ts'

export interface TestProvider extends AsyncDisposable {
  readonly sandbox: ProviderSandbox
  /** What payments has to know of it. */
  readonly environment: { readonly PAYMENT_PROVIDER_URL: string; readonly PAYMENT_WEBHOOK_SECRET: string }
  /** Takes the system's time for its own from now on; sends webhooks when it has a gateway to send them to. */
  serve(system: { readonly clock: Clock; readonly gatewayUrl?: string }): void
  /** Lets every request of a kind wait before it is done, or before it is answered, until the returned function is called. */
  hold(moment: 'asked' | 'done', kind: OperationKind): () => void
}

const webhookSecret = 'a secret of this test'

export async function startTestProvider(): Promise<TestProvider> {
  let now = (): Date => systemClock.now()
  // It signs at the time of the test; its own pauses are real, as those of the outside world are.
  const clock: Clock = {
    now: () => now(),
    nowMs: () => now().getTime(),
    preciseMs: () => now().getTime(),
    setTimer: (delayMs, action) => systemClock.setTimer(delayMs, action),
  }
  const held = new Map<string, Promise<void>>()
  const sandbox = await startProviderSandbox({
    webhookSecret,
    clock,
    pause: async (moment, kind) => held.get(`${moment} ${kind}`),
  })
  return {
    sandbox,
    environment: { PAYMENT_PROVIDER_URL: sandbox.url, PAYMENT_WEBHOOK_SECRET: webhookSecret },
    serve(system) {
      now = () => system.clock.now()
      if (system.gatewayUrl !== undefined) sandbox.sendWebhooksTo(`${system.gatewayUrl}/webhooks/provider`)
    },
    hold(moment, kind) {
      const { promise, resolve } = Promise.withResolvers<void>()
      held.set(`${moment} ${kind}`, promise)
      return () => {
        held.delete(`${moment} ${kind}`)
        resolve()
      }
    },
    [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose](),
  }
}
