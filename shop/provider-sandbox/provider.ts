/** The provider itself, apart from how it is reached: its book, what the cards make of a request, and the news that it sends. */
import type { Clock } from 'skerry/engine'
import { sleep } from 'skerry/engine'
import type { BookView, Operation, OperationKind, OperationRequest } from './book.ts'
import { Book } from './book.ts'
import { CARDS } from './cards.ts'
import { openJournal } from './journal.ts'
import type { PostWebhook } from './webhooks.ts'
import { Webhooks } from './webhooks.ts'

export type { BookView, OperationKind, OperationRequest } from './book.ts'
export type { SignedWebhook } from './webhooks.ts'
export { WEBHOOK_DEADLINE_MS } from './webhooks.ts'

export interface ProviderOptions {
  readonly clock: Clock
  /** The file of its book. Default: it is kept in memory. */
  readonly bookFile?: string | undefined
  readonly webhookSecret: string
  readonly postWebhook: PostWebhook
  /** Waited for before a request is looked at, and again before it is answered. Default: nothing. */
  readonly pause?: Pause | undefined
}

export type Pause = (moment: 'asked' | 'done', kind: OperationKind) => Promise<void>

export type Reply =
  /** Done or declined, now or when the same was asked before. */
  | Operation
  /** Not done. */
  | 'unavailable'
  /** Not done: the key was used for something else. */
  | 'key in use'
  /** No answer is ever sent, whatever was done. */
  | 'silence'

export class Provider {
  readonly #book: Book
  readonly #webhooks: Webhooks
  readonly #options: ProviderOptions

  constructor(options: ProviderOptions) {
    const { bookFile, clock, postWebhook, webhookSecret } = options
    const journal = openJournal(bookFile)
    this.#options = options
    this.#book = new Book(journal.earlier, journal)
    this.#webhooks = new Webhooks({ secret: webhookSecret, clock, post: postWebhook })
  }

  async perform(request: OperationRequest): Promise<Reply> {
    const { clock, pause } = this.#options
    const isFirst = this.#book.count(request.key) === 1
    await pause?.('asked', request.kind)
    const card = this.#book.cardOf(request)
    const { firstRequest, answerAfterMs = 0 } = CARDS[card ?? ''] ?? {}
    const fault = isFirst && firstRequest?.kind === request.kind ? firstRequest.fault : undefined
    if (fault === 'unavailable') return 'unavailable'
    if (fault === 'silent before doing it') return 'silence'
    const isNew = this.#book.find(request.key) === undefined
    const operation = this.#book.perform(request, clock.now())
    if (operation === undefined) return 'key in use'
    if (isNew) this.#webhooks.announce(operation, card)
    if (fault === 'silent after doing it') return 'silence'
    if (answerAfterMs > 0) await sleep(clock, answerAfterMs)
    await pause?.('done', request.kind)
    return operation
  }

  /** What was done under a key. */
  find(key: string): Operation | undefined {
    return this.#book.find(key)
  }

  book(): BookView {
    return this.#book.view()
  }

  /** Sends no webhook from now on. */
  close(): void {
    this.#webhooks.close()
  }
}
