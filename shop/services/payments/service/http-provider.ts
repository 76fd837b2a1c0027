/** The adapter to a provider over HTTP: each request with its key and a deadline. What is not answered in time may have been done all the same. */
import type { Clock } from 'skerry/engine'
import type { Dispatcher } from 'undici'
import { request as send } from 'undici'
import { z } from 'zod'
import type { PaymentProvider, ProviderOutcome, ProviderRequest } from './provider.ts'
import { PROVIDER_DEADLINE_MS, ProviderError } from './provider.ts'

const Operation = z.object({ status: z.enum(['succeeded', 'declined']), reason: z.string().max(200).optional() })
/** Connection failures before anything was sent. */
const NOT_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'])

export interface HttpProviderOptions {
  readonly baseUrl: string
  readonly connections: Dispatcher
  readonly clock: Clock
}

export function httpProvider({ baseUrl, connections, clock }: HttpProviderOptions): PaymentProvider {
  const base = baseUrl.replace(/\/$/, '')
  const exchange = (url: string, sent?: Sent) => exchangeOn(connections, clock, url, sent)
  return {
    async perform(request) {
      const { path, body } = encode(request)
      const { status, json } = await exchange(base + path, { key: request.key, body })
      const operation = status === 200 || status === 402 ? Operation.safeParse(json) : undefined
      if (operation?.success === true) return outcomeOf(operation.data)
      // 4xx says that it was understood and not done; of everything else nobody can tell.
      const refused = status >= 400 && status < 500
      throw new ProviderError(refused ? 'not done' : 'unknown', `the provider answered ${status}: ${JSON.stringify(json).slice(0, 200)}`)
    },
    async find(key) {
      const { status, json } = await exchange(`${base}/v1/operations/${encodeURIComponent(key)}`)
      if (status === 404) return undefined
      const operation = status === 200 ? Operation.safeParse(json) : undefined
      if (operation?.success !== true) throw new ProviderError('unknown', `the provider answered ${status} when asked for ${key}`)
      return outcomeOf(operation.data)
    },
  }
}

function encode({ kind, authorizationKey, amount, card }: ProviderRequest): { path: string; body: object } {
  const about = `/v1/authorizations/${encodeURIComponent(authorizationKey)}`
  const money = { amount: amount.minor_units, currency: amount.currency }
  switch (kind) {
    case 'authorize':
      return { path: '/v1/authorizations', body: { ...money, card } }
    case 'capture':
      return { path: `${about}/capture`, body: money }
    case 'refund':
      return { path: `${about}/refund`, body: money }
    case 'void':
      return { path: `${about}/void`, body: {} }
  }
}

function outcomeOf({ status, reason = 'declined' }: z.output<typeof Operation>): ProviderOutcome {
  return status === 'succeeded' ? { status } : { status, reason }
}

interface Sent {
  readonly key: string
  readonly body: object
}

async function exchangeOn(
  dispatcher: Dispatcher,
  clock: Clock,
  url: string,
  sent: Sent | undefined,
): Promise<{ readonly status: number; readonly json: unknown }> {
  const late = new AbortController()
  const timer = clock.setTimer(PROVIDER_DEADLINE_MS, () => late.abort())
  try {
    const { statusCode, body } = await send(url, {
      dispatcher,
      method: sent === undefined ? 'GET' : 'POST',
      headers: sent === undefined ? {} : { 'content-type': 'application/json', 'idempotency-key': sent.key },
      body: sent === undefined ? null : JSON.stringify(sent.body),
      signal: late.signal,
    })
    return { status: statusCode, json: await body.json() }
  } catch (error) {
    if (late.signal.aborted) throw new ProviderError('unknown', `the provider has not answered for ${PROVIDER_DEADLINE_MS} ms`)
    const { code = '', message } = error as NodeJS.ErrnoException
    throw new ProviderError(NOT_SENT.has(code) ? 'not done' : 'unknown', `the provider cannot be reached: ${code || message}`, {
      cause: error,
    })
  } finally {
    timer.cancel()
  }
}
