/**
 * The link to a service that may speak the fast wire: one connection carries all calls, and HTTP carries them as long as there is none. Whether
 * there can be one is found out beside the calls, which do not wait for it.
 */
import type { Clock } from '../base/clock.ts'
import { SkerryError } from '../base/errors.ts'
import type { CallRequest, CallResponse, Link } from '../client/link.ts'
import type { HttpLinkOptions } from '../http/http-link.ts'
import { DEFAULT_MAX_ANSWER_BYTES, httpLink } from '../http/http-link.ts'
import { upgrade } from './handshake.ts'
import { WireClient } from './wire-client.ts'

export interface WireLinkOptions extends HttpLinkOptions {
  /** Calls wait for the connection, and fail without one. What is too large for it still goes over HTTP. */
  readonly insists?: boolean
}

/** How long a server that did not change to the protocol is left in peace, longer each time. */
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 60_000

export function wireLink(options: WireLinkOptions): Link {
  return new WireLink(options)
}

class WireLink implements Link {
  readonly #options: WireLinkOptions
  readonly #clock: Clock
  readonly #http: Link
  readonly #closing = new AbortController()
  #connection: WireClient | undefined
  #connecting: Promise<WireClient> | undefined
  #pauseMs = FIRST_PAUSE_MS
  #notBeforeMs = 0

  constructor(options: WireLinkOptions) {
    this.#options = options
    this.#clock = options.clock
    this.#http = httpLink(options)
  }

  send(request: CallRequest): Promise<CallResponse> {
    const connection = this.#connection
    return connection?.isTaking === true ? this.#sendOn(connection, request) : this.#sendWithout(request)
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#connection?.close()
    await this.#http.close()
  }

  #sendOn(connection: WireClient, request: CallRequest): Promise<CallResponse> {
    try {
      const { operation, input } = request
      const { target, body } = operation.http.encode(input)
      return connection.send(request, `${operation.operation.method} ${target}`, body === undefined ? undefined : JSON.stringify(body))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async #sendWithout(request: CallRequest): Promise<CallResponse> {
    if (this.#options.insists === true) return this.#sendOn(await this.#connected(), request)
    if (this.#clock.nowMs() >= this.#notBeforeMs) this.#connected().catch(() => undefined)
    return this.#http.send(request)
  }

  #pause(): void {
    this.#notBeforeMs = this.#clock.nowMs() + this.#pauseMs
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * this.#pauseMs)
  }

  #connected(): Promise<WireClient> {
    return (this.#connecting ??= this.#connect()
      .catch((error: unknown) => {
        this.#pause()
        throw error
      })
      .finally(() => (this.#connecting = undefined)))
  }

  async #connect(): Promise<WireClient> {
    const { baseUrl, maxAnswerBytes = DEFAULT_MAX_ANSWER_BYTES } = this.#options
    const { socket, head } = await upgrade(baseUrl, this.#clock, this.#closing.signal)
    const connection = await new Promise<WireClient>((resolve) => {
      const client: WireClient = new WireClient({
        socket,
        head,
        clock: this.#clock,
        maxAnswerBytes,
        peer: baseUrl,
        otherwise: (request) => this.#http.send(request),
        // Once the constructor has returned.
        onBegun: () => process.nextTick(() => resolve(client)),
      })
    })
    if (this.#closing.signal.aborted) connection.close()
    if (!connection.isTaking)
      throw new SkerryError('unavailable', `${baseUrl}: it closed the connection at once`, { data: { unsent: true } })
    this.#connection = connection
    this.#pauseMs = FIRST_PAUSE_MS
    return connection
  }
}
