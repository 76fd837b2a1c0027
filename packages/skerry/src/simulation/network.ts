/** The network of a simulated world: HTTP messages between nodes, that are late, lost, refused, or carried out and not answered. */
import { SkerryError } from '../base/errors.ts'
import type { Link } from '../client/link.ts'
import type { HttpAnswer, HttpMessage } from '../http/http-link.ts'
import { linkOver } from '../http/http-link.ts'
import type { HttpResponse, IncomingHttpMessage } from '../http/server.ts'
import { httpAnswerer, readJson } from '../http/server.ts'
import type { Transport } from '../http/transport.ts'
import { parseTraceparent } from '../telemetry/trace-context.ts'
import type { Choice } from './choices.ts'
import type { FaultKind } from './faults.ts'
import type { Life } from './life.ts'
import { currentLife } from './life.ts'
import type { World } from './world.ts'

const LATENCY_MS = 1
const MAX_LATENCY_MS = 8
/** Far beyond the deadline that an operation has by itself, 3 s: whoever asked does not wait any more. */
const MAX_SLOW_MS = 20_000
const MAX_PARTITION_MS = 20_000

interface Listener {
  readonly life: Life
  readonly answer: (message: IncomingHttpMessage) => Promise<HttpResponse>
}

export class Network {
  readonly #world: World
  /** By the service, or the gateway. */
  readonly #listeners = new Map<string, Listener[]>()
  /** Until when two nodes do not reach each other. */
  readonly #cutUntilMs = new Map<string, number>()
  /** Who waits for an answer that is neither there nor lost; undefined is a client outside. */
  readonly #waiting = new Set<{ readonly life: Life | undefined }>()

  constructor(world: World) {
    this.#world = world
  }

  /** The way from and to a process. */
  transportOf(life: Life): Transport {
    return {
      listen: async (options) => {
        const listener: Listener = { life, answer: httpAnswerer(options) }
        const listeners = this.#listeners.get(life.service) ?? []
        this.#listeners.set(life.service, [...listeners, listener])
        return {
          port: 0,
          url: urlOf(life.service),
          leftAtMs: 0,
          drain: () => undefined,
          close: async () => this.#forget((other) => other === listener),
        }
      },
      link: ({ baseUrl, clock }) => ({
        ...linkOver((message) => this.#carry(life.node, baseUrl, message), clock),
        close: async () => undefined,
      }),
    }
  }

  /** The way of a client outside. */
  linkFrom(client: string, service: string, cause: string): Link {
    const clock = this.#world.clockOf(undefined, 0)
    return {
      ...linkOver((message) => this.#carry(client, urlOf(service), this.#named(message, cause)), clock),
      close: async () => undefined,
    }
  }

  /** One message from a client outside. Rejects with a `SkerryError` when no answer comes. */
  request(client: string, service: string, cause: string, message: Omit<HttpMessage, 'signal'>): Promise<HttpAnswer> {
    return this.#carry(client, urlOf(service), this.#named({ ...message, signal: () => new AbortController().signal }, cause))
  }

  /** A process has ended: nobody listens there any more. */
  left(life: Life): void {
    this.#forget((listener) => listener.life === life)
  }

  /** How many messages are neither there nor lost. */
  get onTheirWay(): number {
    return [...this.#waiting].filter(({ life }) => life?.isOver !== true).length
  }

  /** Cuts end. */
  heal(): void {
    this.#cutUntilMs.clear()
  }

  #named(message: HttpMessage, cause: string): HttpMessage {
    const trace = parseTraceparent(message.headers['traceparent'])
    if (trace !== undefined) this.#world.name(trace.traceId, cause)
    return message
  }

  #forget(isGone: (listener: Listener) => boolean): void {
    for (const [service, listeners] of this.#listeners)
      this.#listeners.set(
        service,
        listeners.filter((listener) => !isGone(listener)),
      )
  }

  /** Who is asked this time. */
  #pick(service: string, way: string): Listener | undefined {
    const listeners = this.#listeners.get(service) ?? []
    const index = Math.floor(this.#world.choices.delayMs(`${way}: instance`, 0, listeners.length))
    return listeners[Math.min(index, listeners.length - 1)]
  }

  async #carry(from: string, baseUrl: string, message: HttpMessage): Promise<HttpAnswer> {
    const waiting = { life: currentLife() }
    this.#waiting.add(waiting)
    const answer = await this.#deliver(from, baseUrl, message).finally(() => this.#waiting.delete(waiting))
    return answer === 'lost' ? never() : answer
  }

  async #deliver(from: string, baseUrl: string, message: HttpMessage): Promise<HttpAnswer | 'lost'> {
    const world = this.#world
    const service = new URL(baseUrl).hostname
    const way = `${from} → ${service}`
    const { traceId } = parseTraceparent(message.headers['traceparent']) ?? {}
    const happens = (kind: FaultKind): Choice | undefined => world.fault(kind, way, traceId)
    const say = (text: string): void => world.say(text, from)
    const slow = happens('slowCall')
    const extraMs = slow === undefined ? 0 : world.choices.sizeOf(slow) * MAX_SLOW_MS
    const slowAnswer = slow !== undefined && world.choices.sizeOf(slow, 'side') < 0.5
    await world.pause(way, LATENCY_MS, MAX_LATENCY_MS)
    const listener = this.#pick(service, way)
    const cut = happens('partition')
    if (cut !== undefined) this.#cut(from, listener?.life.node ?? service, world.choices.sizeOf(cut) * MAX_PARTITION_MS)
    if (extraMs > 0 && !slowAnswer) {
      say(`${service} is far away: the request takes ${Math.round(extraMs)} ms longer`)
      await world.pause(`${way}: slow`, extraMs, extraMs)
    }
    if (listener === undefined || listener.life.isOver || happens('refusedCall') !== undefined) {
      say(`${describe(service, message)} is refused`)
      throw new SkerryError('unavailable', `${baseUrl}: ECONNREFUSED`, { data: { unsent: true } })
    }
    if (this.#isCut(from, listener.life.node) || happens('lostRequest') !== undefined) {
      say(`${describe(service, message)} is lost on the way`)
      return 'lost'
    }
    say(describe(service, message))
    const { status, body, headers } = await this.#serve(listener, message)
    await world.pause(`${way}: answer`, LATENCY_MS, MAX_LATENCY_MS)
    if (extraMs > 0 && slowAnswer) {
      say(`${service} is slow: the answer takes ${Math.round(extraMs)} ms longer`)
      await world.pause(`${way}: slow`, extraMs, extraMs)
    }
    if (this.#isCut(from, listener.life.node) || happens('lostAnswer') !== undefined) {
      say(`the answer ${status} of ${service} is lost on the way`)
      return 'lost'
    }
    say(`← ${status} of ${service}`)
    return {
      status,
      text: body === undefined ? '' : JSON.stringify(body),
      retryAfter: headers?.['retry-after'],
      degraded: headers?.['skerry-degraded'],
    }
  }

  /** Runs the request as the peer; when that dies with it, its connection is reset. */
  async #serve({ life, answer }: Listener, { method, path, headers, body, signal }: HttpMessage): Promise<HttpResponse> {
    const here = currentLife()
    return new Promise((resolve, reject) => {
      // Each side goes on by its own entry: the one that waits is not run inside the one that answers.
      const back = (settle: () => void): void => void this.#world.after(0, here, settle)
      life.died.catch(() => back(() => reject(new SkerryError('unavailable', `http://${life.service}: ECONNRESET`))))
      this.#world.after(0, life, () => {
        answer({
          method,
          url: path,
          isOfVersion11: true,
          headers: { ...headers, host: life.service },
          readBody: async () => readJson(Buffer.from(body ?? ''), headers['content-type']),
          signal,
        }).then(
          // Who has died meanwhile answers no more; that its connection is reset is told already.
          (response) => (life.isOver ? undefined : back(() => resolve(response))),
          (error: unknown) => back(() => reject(error)),
        )
      })
    })
  }

  #cut(a: string, b: string, forMs: number): void {
    this.#world.say(`${a} and ${b} do not reach each other for ${Math.round(forMs)} ms`)
    this.#cutUntilMs.set(pair(a, b), this.#world.nowMs + forMs)
  }

  #isCut(a: string, b: string): boolean {
    return (this.#cutUntilMs.get(pair(a, b)) ?? 0) > this.#world.nowMs
  }
}

/** Where a node is asked for. */
export function urlOf(service: string): string {
  return `http://${service}`
}

function describe(service: string, { method, path }: HttpMessage): string {
  return `${method} ${service}${path}`
}

function pair(a: string, b: string): string {
  return a < b ? `${a}\n${b}` : `${b}\n${a}`
}

function never<T>(): Promise<T> {
  return new Promise(() => undefined)
}
