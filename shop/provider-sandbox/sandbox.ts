/**
 * A payment provider to develop and test against: the outside world, so it is no Skerry service and shares no code with one. It speaks
 * plain HTTP, keeps its own book, and misbehaves on request: see the test cards.
 *
 *     POST /v1/authorizations                { amount, currency, card }   Idempotency-Key: …
 *     POST /v1/authorizations/{key}/capture  { amount, currency }         Idempotency-Key: …
 *     POST /v1/authorizations/{key}/refund   { amount, currency }         Idempotency-Key: …
 *     POST /v1/authorizations/{key}/void                                  Idempotency-Key: …
 *     GET  /v1/operations/{key}              what was done under a key, or 404
 *     PUT  /v1/webhook-endpoint              { url }
 *     GET  /v1/book                          all that it has done, and how often it was asked
 */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from 'skerry/engine'
import { systemClock } from 'skerry/engine'
import type { BookView, Operation, OperationKind, OperationRequest } from './book.ts'
import type { Pause } from './provider.ts'
import { Provider } from './provider.ts'
import { WebhookEndpoint } from './webhook-endpoint.ts'

export type { BookView, Operation, OperationKind } from './book.ts'
export type { SignedWebhook, Webhook } from './webhooks.ts'
export { sign } from './webhooks.ts'

export interface ProviderSandboxOptions {
  /** Default: any free one. */
  readonly port?: number
  /** With which webhooks are signed. */
  readonly webhookSecret: string
  /** Where webhooks are sent. Default: nowhere, until it is said. */
  readonly webhookUrl?: string
  /** The file of its book. Default: it is kept in memory. */
  readonly bookFile?: string
  /** Default: the machine's. */
  readonly clock?: Clock
  /** Waited for before a request is looked at, and again before it is answered: tests decide in it what comes first. Default: nothing. */
  readonly pause?: Pause
}

export interface ProviderSandbox extends AsyncDisposable {
  readonly url: string
  /** Where webhooks go from now on, also those that wait to be sent. */
  sendWebhooksTo(url: string): void
  book(): BookView
}

interface Answer {
  readonly status: number
  readonly body: unknown
}

const MAX_BODY_BYTES = 65_536
const ACTIONS: Readonly<Record<string, OperationKind>> = { capture: 'capture', refund: 'refund', void: 'void' }

export async function startProviderSandbox(options: ProviderSandboxOptions): Promise<ProviderSandbox> {
  const { port = 0, webhookUrl, clock = systemClock, ...rest } = options
  const endpoint = new WebhookEndpoint(webhookUrl)
  const provider = new Provider({ ...rest, clock, postWebhook: (webhook) => endpoint.post(webhook) })
  const server = createServer((request, response) => {
    answer(provider, endpoint, request)
      .catch((error: unknown): Answer => ({ status: 400, body: { error: error instanceof Error ? error.message : String(error) } }))
      .then((answered) => {
        if (answered === undefined) return
        response.writeHead(answered.status, { 'content-type': 'application/json' }).end(JSON.stringify(answered.body))
      })
      .catch(() => response.destroy())
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sendWebhooksTo(url) {
      endpoint.url = url
    },
    book: () => provider.book(),
    async [Symbol.asyncDispose]() {
      provider.close()
      endpoint.close()
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** Undefined where the provider falls silent. */
async function answer(provider: Provider, endpoint: WebhookEndpoint, request: IncomingMessage): Promise<Answer | undefined> {
  const path = new URL(request.url ?? '/', 'http://provider').pathname.split('/').slice(1).map(decodeURIComponent)
  const body = await readBody(request)
  const route = `${request.method} /${path.slice(0, 2).join('/')}`
  if (route === 'GET /v1/book') return { status: 200, body: provider.book() }
  if (route === 'GET /v1/operations') return found(provider.find(path[2] ?? ''))
  if (route === 'PUT /v1/webhook-endpoint') {
    endpoint.url = String(new URL(String(body['url'])))
    return { status: 200, body: { url: endpoint.url } }
  }
  if (route !== 'POST /v1/authorizations') return { status: 404, body: { error: 'there is nothing here' } }
  const key = request.headers['idempotency-key']
  if (typeof key !== 'string' || key === '') return { status: 400, body: { error: 'an Idempotency-Key is needed' } }
  const kind = path.length === 2 ? 'authorization' : ACTIONS[path[3] ?? '']
  if (kind === undefined || path.length > 4) return { status: 404, body: { error: 'there is nothing here' } }
  return perform(provider, readRequest(key, kind, path[2], body))
}

async function perform(provider: Provider, request: OperationRequest): Promise<Answer | undefined> {
  const reply = await provider.perform(request)
  switch (reply) {
    case 'silence':
      return undefined
    case 'unavailable':
      return { status: 503, body: { error: 'try again' } }
    case 'key in use':
      return { status: 409, body: { error: 'this Idempotency-Key was used for something else' } }
    default:
      return { status: reply.status === 'succeeded' ? 200 : 402, body: reply }
  }
}

function found(operation: Operation | undefined): Answer {
  return operation === undefined ? { status: 404, body: { error: 'nothing was done under this key' } } : { status: 200, body: operation }
}

function readRequest(key: string, kind: OperationKind, about: string | undefined, body: Record<string, unknown>): OperationRequest {
  const base = { key, kind, authorization: about ?? key }
  if (kind === 'void') return base
  const { amount, currency, card } = body
  if (typeof amount !== 'number' || !Number.isSafeInteger(amount) || amount < 1)
    throw new TypeError('amount: expected a whole number of minor units')
  if (typeof currency !== 'string' || !/^[A-Z]{3}$/.test(currency)) throw new TypeError('currency: expected a code such as EUR')
  if (kind !== 'authorization') return { ...base, amount, currency }
  if (typeof card !== 'string') throw new TypeError('card: expected the token of a card')
  return { ...base, amount, currency, card }
}

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) throw new RangeError('the body is too large')
    chunks.push(chunk)
  }
  const body: unknown = bytes === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString('utf8'))
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new TypeError('the body must be a JSON object')
  return body as Record<string, unknown>
}
