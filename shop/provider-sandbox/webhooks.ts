/**
 * The provider's webhooks: news of every operation, signed, sent until the receiver has taken it or an hour has passed. They are
 * sent without order, and may come late or more than once: the test cards make them. What has not been sent dies with the process, as
 * with any provider some webhooks never come.
 *
 * A webhook is a flattened JWS (RFC 7515, 7.2.2), HS256: the bytes that are signed travel as text in the body, so that no proxy or
 * parser on the way can change them, and `iat` says when it was signed.
 */
import { createHmac } from 'node:crypto'
import type { Clock } from 'skerry/engine'
import type { Operation } from './book.ts'
import { CARDS } from './cards.ts'

export interface WebhookOptions {
  readonly secret: string
  readonly clock: Clock
  readonly post: PostWebhook
}

/** Posts a webhook to its receiver: whether it was taken. It settles within `WEBHOOK_DEADLINE_MS`; a rejection says no as well. */
export type PostWebhook = (webhook: SignedWebhook) => Promise<boolean>

/** How long the receiver of a webhook may take for its answer. */
export const WEBHOOK_DEADLINE_MS = 5_000

export interface Webhook {
  /** The same however often it is sent. */
  readonly id: string
  /** `capture.succeeded` */
  readonly type: string
  readonly operation: Omit<Operation, 'card'>
}

export interface SignedWebhook {
  readonly protected: string
  readonly payload: string
  readonly signature: string
}

const LATE_MS = 60_000
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 60_000
const GIVE_UP_MS = 3_600_000

export class Webhooks {
  readonly #options: WebhookOptions
  #closed = false
  /** By authorization: what is held back until something later has been sent. */
  readonly #held = new Map<string, Webhook[]>()

  constructor(options: WebhookOptions) {
    this.#options = options
  }

  /** Tells the news of an operation, in the way of the card it was made with. */
  announce({ card: _card, ...operation }: Operation, card: string | undefined): void {
    const webhook: Webhook = { id: `evt_${operation.key}`, type: `${operation.kind}.${operation.status}`, operation }
    switch (CARDS[card ?? '']?.webhooks) {
      case 'none':
        return
      case 'late':
        this.#options.clock.setTimer(LATE_MS, () => this.#begin(webhook))
        return
      case 'twice':
        this.#begin(webhook)
        this.#begin(webhook)
        return
      case 'reversed':
        this.#reverse(webhook)
        return
      case undefined:
        this.#begin(webhook)
    }
  }

  close(): void {
    this.#closed = true
  }

  #reverse(webhook: Webhook): void {
    const { authorization, kind } = webhook.operation
    if (kind === 'authorization') {
      this.#held.set(authorization, [webhook])
      return
    }
    const held = this.#held.get(authorization) ?? []
    this.#held.delete(authorization)
    void this.#inTurn([webhook, ...held])
  }

  async #inTurn(webhooks: readonly Webhook[]): Promise<void> {
    for (const webhook of webhooks) await this.#send(webhook)
  }

  #begin(webhook: Webhook): void {
    void this.#send(webhook)
  }

  async #send(webhook: Webhook): Promise<void> {
    const { clock } = this.#options
    const begunMs = clock.nowMs()
    for (let pauseMs = FIRST_PAUSE_MS; !this.#closed; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
      if (await this.#isTaken(webhook)) return
      if (clock.nowMs() - begunMs > GIVE_UP_MS) return
      await new Promise<void>((resolve) => {
        clock.setTimer(pauseMs, resolve)
      })
    }
  }

  async #isTaken(webhook: Webhook): Promise<boolean> {
    const { clock, post, secret } = this.#options
    try {
      return await post(sign(webhook, secret, clock.now()))
    } catch {
      return false
    }
  }
}

export function sign(webhook: Webhook, secret: string, now: Date): SignedWebhook {
  const header = base64url({ alg: 'HS256', iat: Math.floor(now.getTime() / 1_000) })
  const payload = base64url(webhook)
  const signature = createHmac('sha256', secret).update(`${header}.${payload}`).digest('base64url')
  return { protected: header, payload, signature }
}

function base64url(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
