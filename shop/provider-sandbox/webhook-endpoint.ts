/** Where the sandbox's webhooks go: one URL, which may be given later or change. */
import { request } from 'undici'
import type { SignedWebhook } from './webhooks.ts'
import { WEBHOOK_DEADLINE_MS } from './webhooks.ts'

export class WebhookEndpoint {
  url: string | undefined
  readonly #closed = new AbortController()

  constructor(url: string | undefined) {
    this.url = url
  }

  /** Whether it was taken. Rejects when there was no answer in time, or the endpoint was closed. */
  async post(webhook: SignedWebhook): Promise<boolean> {
    if (this.url === undefined) return false
    const { statusCode, body } = await request(this.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(webhook),
      headersTimeout: WEBHOOK_DEADLINE_MS,
      bodyTimeout: WEBHOOK_DEADLINE_MS,
      signal: this.#closed.signal,
    })
    await body.dump()
    return statusCode >= 200 && statusCode < 300
  }

  close(): void {
    this.#closed.abort()
  }
}
