/**
 * The payment provider of a simulated shop: the sandbox's book, test cards and webhooks behind the port of payments, with a network in
 * between that the simulation decides about. It lives in the time of the outside world; the deadline of an answer runs in the time of
 * whoever waits for it.
 */
import type { PaymentProvider, ProviderOutcome, ProviderRequest } from '@shop/payments/provider'
import { PROVIDER_DEADLINE_MS, ProviderError } from '@shop/payments/provider'
import type { BookView, OperationKind, OperationRequest, Reply, SignedWebhook } from '@shop/provider-sandbox/provider'
import { Provider, WEBHOOK_DEADLINE_MS } from '@shop/provider-sandbox/provider'
import type { Clock } from 'skerry/engine'
import { within } from 'skerry/engine'

/** The network between payments and the provider. What it says may come late: that is how long the way takes. */
export interface ProviderNetwork {
  /** What becomes of a request. `refused`: there was no connection, and whoever asked knows it. */
  reach(): Promise<'delivered' | 'lost' | 'refused'>
  /** What becomes of the answer to a request that was delivered. */
  answer(): Promise<'delivered' | 'lost'>
}

export interface SimulatedProviderOptions {
  /** The outside world's. */
  readonly clock: Clock
  readonly network: ProviderNetwork
  /** With which webhooks are signed. */
  readonly webhookSecret: string
  /** Posts a webhook to the gateway: whether it was answered 2xx. It may reject, and it may never settle. */
  readonly sendWebhook: (webhook: SignedWebhook) => Promise<boolean>
}

export interface SimulatedProvider {
  /** As payments has it in its resources, with the clock of the service that asks. */
  provider(clock: Clock): PaymentProvider
  /** All that it has done, and how often it was asked. */
  book(): BookView
}

export function simulatedProvider({ clock: world, network, webhookSecret, sendWebhook }: SimulatedProviderOptions): SimulatedProvider {
  const provider = new Provider({
    clock: world,
    webhookSecret,
    async postWebhook(webhook) {
      const posted = sendWebhook(webhook)
      return (await within(world, WEBHOOK_DEADLINE_MS, posted)) && posted
    },
  })
  return {
    provider: (clock) => ({
      perform: async (request) => outcomeOf(await exchange(clock, network, () => provider.perform(toOperation(request)))),
      async find(key) {
        const reply = await exchange(clock, network, async () => provider.find(key) ?? 'never done')
        return reply === 'never done' ? undefined : outcomeOf(reply)
      },
    }),
    book: () => provider.book(),
  }
}

/** What arrives after the deadline arrives all the same: only nobody waits for it any more. */
async function exchange<T>(clock: Clock, network: ProviderNetwork, handle: () => Promise<T | 'silence'>): Promise<T> {
  const carried = carry(network, handle)
  if (await within(clock, PROVIDER_DEADLINE_MS, carried)) return carried
  throw new ProviderError('unknown', `the provider has not answered for ${PROVIDER_DEADLINE_MS} ms`)
}

/** A request and its answer, each on its own way. Never settles when one of them is lost. */
async function carry<T>(network: ProviderNetwork, handle: () => Promise<T | 'silence'>): Promise<T> {
  const way = await network.reach()
  if (way === 'refused') throw new ProviderError('not done', 'the provider cannot be reached')
  const reply = way === 'lost' ? 'silence' : await handle()
  if (reply === 'silence' || (await network.answer()) === 'lost') return new Promise<never>(() => {})
  return reply
}

const KINDS: Readonly<Record<ProviderRequest['kind'], OperationKind>> = {
  authorize: 'authorization',
  capture: 'capture',
  void: 'void',
  refund: 'refund',
}

function toOperation({ key, kind, authorizationKey, amount, card }: ProviderRequest): OperationRequest {
  const base = { key, kind: KINDS[kind], authorization: authorizationKey }
  if (kind === 'void') return base
  const money = { amount: amount.minor_units, currency: amount.currency }
  return kind === 'authorize' ? { ...base, ...money, card } : { ...base, ...money }
}

/** As over HTTP: 503 leaves open what was done, 409 does not. */
function outcomeOf(reply: Exclude<Reply, 'silence'>): ProviderOutcome {
  if (reply === 'unavailable') throw new ProviderError('unknown', 'the provider is not available')
  if (reply === 'key in use') throw new ProviderError('not done', 'the provider knows the key from something else')
  const { status, reason = 'declined' } = reply
  return status === 'succeeded' ? { status } : { status, reason }
}
