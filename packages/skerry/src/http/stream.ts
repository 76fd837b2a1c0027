/** Answers that are sent as they come, and that nothing but their own end would end: so whoever drains a listener can. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../base/clock.ts'

/** Makes what is sent; it should end when the peer has gone or the listener drains, of which the signal tells it. */
export type StreamSource = (ended: AbortSignal) => AsyncIterable<string>

/** Whoever takes nothing for so long is cut off: a listener has room for so many streams, and others want to read too. */
const MAX_WAIT_MS = 60_000

/** Of a listener: all that are being sent. */
export class Streams {
  readonly #clock: Clock
  readonly #sending = new Set<AbortController>()
  #ended = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Ends them all, those that begin later too. */
  end(): void {
    this.#ended = true
    for (const sending of this.#sending) sending.abort()
  }

  /** Asks for the next part when the peer has taken the one before. */
  async send(
    request: IncomingMessage,
    response: ServerResponse,
    { status, headers }: { readonly status: number; readonly headers?: Readonly<Record<string, string>> },
    source: StreamSource,
  ): Promise<void> {
    const sending = new AbortController()
    if (this.#ended) sending.abort()
    this.#sending.add(sending)
    response.once('close', () => sending.abort())
    // Whoever else waits for this connection should have another.
    response.writeHead(status, { ...headers, connection: 'close' })
    request.resume()
    try {
      for await (const part of source(sending.signal)) {
        if (sending.signal.aborted) break
        if (!response.write(part)) await this.#taken(response, sending.signal)
      }
    } finally {
      this.#sending.delete(sending)
      response.end()
    }
  }
  /** Resolves when the peer has taken what was written, or is not going to. */
  #taken(response: ServerResponse, ended: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(MAX_WAIT_MS, () => response.destroy())
      const end = (): void => {
        timer.cancel()
        response.off('drain', end)
        ended.removeEventListener('abort', end)
        resolve()
      }
      response.once('drain', end)
      // Also when the connection is closed.
      ended.addEventListener('abort', end)
    })
  }
}
