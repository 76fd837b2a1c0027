/** The payment provider's sandbox in a process of its own, as the outside world that outlives everything in the shop. */
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import type { ProviderBook } from '@shop/auditor'
import { freePort } from '../services/free-port.ts'
import { openSandbox } from '../services/sandbox.ts'
import { waitUntil } from '../services/wait-until.ts'
import { request } from '../topologies/request.ts'

export interface Provider extends AsyncDisposable {
  /** What payments finds it by. */
  readonly env: Readonly<Record<string, string>>
  sendWebhooksTo(url: string): Promise<void>
  book(): Promise<ProviderBook>
}

const START_MS = 60_000

export async function startProvider(): Promise<Provider> {
  const sandbox = await openSandbox('provider')
  const url = `http://127.0.0.1:${await freePort()}`
  const secret = randomBytes(16).toString('hex')
  const main = fileURLToPath(new URL('../../shop/provider-sandbox/main.ts', import.meta.url))
  const running = await sandbox.run('provider', process.execPath, [main], {
    environment: { PORT: new URL(url).port, WEBHOOK_SECRET: secret },
  })
  await waitUntil(
    'the payment provider listens',
    START_MS,
    async () => {
      const log = await running.logTail()
      if (running.exited) throw new Error(`The payment provider ended. ${log}`)
      return log.includes('"started"') ? true : undefined
    },
    () => running.logTail(),
  )
  return {
    env: { PAYMENT_PROVIDER_URL: url, PAYMENT_WEBHOOK_SECRET: secret },
    sendWebhooksTo: async (to) => void (await request('PUT', `${url}/v1/webhook-endpoint`, { url: to })),
    book: async () => (await request('GET', `${url}/v1/book`)).body as ProviderBook,
    [Symbol.asyncDispose]: () => sandbox.close(),
  }
}
