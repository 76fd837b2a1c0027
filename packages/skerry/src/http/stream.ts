/** Answers that are sent as they come, and that nothing but their own end would end: so whoever drains a listener can. */
import type { IncomingMessage, ServerResponse } from 'node:http'

/** Makes what is sent; it should end when the peer has gone or the listener drains, of which the signal tells it. */
export type StreamSource = (ended: AbortSignal) => AsyncIterable<string>

/** Of a listener: all that are being sent. */
export class Streams {
  readonly #sending = new Set<AbortController>()
  #ended = false

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
        if (!response.write(part)) await taken(response, sending.signal)
      }
    } finally {
      this.#sending.delete(sending)
      response.end()
    }
  }
}

function taken(response: ServerResponse, ended: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      response.off('drain', end)
      ended.removeEventListener('abort', end)
      resolve()
    }
    response.once('drain', end)
    ended.addEventListener('abort', end)
  })
}
