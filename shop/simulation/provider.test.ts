import type { ProviderRequest } from '@shop/payments/provider'
import { ProviderError } from '@shop/payments/provider'
import type { SignedWebhook } from '@shop/provider-sandbox/provider'
import { sleep } from 'skerry/engine'
import { VirtualClock } from 'skerry/testing'
import { describe, expect, test } from 'vitest'
import type { ProviderNetwork, SimulatedProviderOptions } from './provider.ts'
import { simulatedProvider } from './provider.ts'

const delivered = async () => 'delivered' as const
const lost = async () => 'lost' as const
const amount = { minor_units: 2_500, currency: 'EUR' as const }

interface Given {
  readonly clock?: VirtualClock
  readonly network?: Partial<ProviderNetwork>
  readonly sendWebhook?: SimulatedProviderOptions['sendWebhook']
}

function start({ clock = new VirtualClock(), network = {}, ...given }: Given = {}) {
  const way = { reach: delivered, answer: delivered, ...network }
  const webhooks: { readonly type: string; readonly atMs: number }[] = []
  const begunMs = clock.nowMs()
  const simulated = simulatedProvider({
    clock,
    network: { reach: () => way.reach(), answer: () => way.answer() },
    webhookSecret: 'a secret of this test',
    async sendWebhook(webhook) {
      const { type } = JSON.parse(Buffer.from(webhook.payload, 'base64url').toString()) as { type: string }
      webhooks.push({ type, atMs: clock.nowMs() - begunMs })
      return true
    },
    ...given,
  })
  const provider = simulated.provider(clock)
  const request = (kind: ProviderRequest['kind'], card: string): ProviderRequest => ({
    key: `1:${kind}:1`,
    kind,
    authorizationKey: '1:authorize:1',
    amount,
    card,
  })
  return {
    clock,
    way,
    webhooks,
    simulated,
    find: (key: string) => provider.find(key),
    perform: (kind: ProviderRequest['kind'], card = 'tok_ok', more: Partial<ProviderRequest> = {}) =>
      provider.perform({ ...request(kind, card), ...more }),
    /** What has become of it, and after how long; undefined as long as nothing has. */
    watch<T>(work: Promise<T>): () => { readonly atMs: number; readonly value?: T; readonly outcome?: string } | undefined {
      let end: { atMs: number; value?: T; outcome?: string } | undefined
      work.then(
        (value) => (end = { atMs: clock.nowMs() - begunMs, value }),
        (error: unknown) =>
          (end = { atMs: clock.nowMs() - begunMs, outcome: error instanceof ProviderError ? error.outcome : String(error) }),
      )
      return () => end
    },
    done: () => simulated.book().operations.map(({ kind, status }) => `${kind} ${status}`),
  }
}

test('does what it is asked once for each key, and is asked what became of it', async () => {
  const { perform, find, done, simulated } = start()
  expect(await perform('authorize')).toEqual({ status: 'succeeded' })
  expect(await perform('authorize')).toEqual({ status: 'succeeded' })
  expect(await perform('capture')).toEqual({ status: 'succeeded' })
  expect(await perform('void')).toEqual({ status: 'declined', reason: 'captured' })
  expect(await perform('refund', 'tok_ok', { amount: { ...amount, minor_units: 2_501 } })).toMatchObject({ reason: 'more_than_captured' })
  expect(await find('1:capture:1')).toEqual({ status: 'succeeded' })
  expect(await find('1:refund:1')).toEqual({ status: 'declined', reason: 'more_than_captured' })
  expect(await find('2:capture:1')).toBeUndefined()
  expect(done()).toEqual(['authorization succeeded', 'capture succeeded', 'void declined', 'refund declined'])
  expect(simulated.book().requests).toMatchObject({ '1:authorize:1': 2, '1:capture:1': 1 })
})

test('remembers a void that comes before its authorization', async () => {
  const { perform } = start()
  expect(await perform('void')).toEqual({ status: 'succeeded' })
  expect(await perform('authorize')).toEqual({ status: 'declined', reason: 'voided' })
})

test('a key that was used for something else is not done', async () => {
  const { perform, done } = start()
  await perform('authorize')
  await expect(perform('authorize', 'tok_slow')).rejects.toMatchObject({ name: 'ProviderError', outcome: 'not done' })
  expect(done()).toEqual(['authorization succeeded'])
})

describe('cards', () => {
  test.each([
    ['tok_declined', 'insufficient_funds'],
    ['tok_unheard_of', 'invalid_card'],
  ])('%s is declined: %s', async (card, reason) => {
    expect(await start().perform('authorize', card)).toEqual({ status: 'declined', reason })
  })

  test.each([
    ['tok_timeout', 'authorize', 'unknown', 5_000, 1],
    ['tok_lost', 'authorize', 'unknown', 5_000, 0],
    ['tok_unavailable', 'authorize', 'unknown', 0, 0],
    ['tok_capture_timeout', 'capture', 'unknown', 5_000, 1],
  ] as const)('%s: the first %s is %s after %i ms, and done %i times; the second is answered', async (card, kind, outcome, atMs, times) => {
    const { perform, watch, clock, done } = start()
    if (kind === 'capture') await perform('authorize', card)
    const end = watch(perform(kind, card))
    await clock.advance('1m')
    expect(end()).toEqual({ atMs, outcome })
    expect(done().filter((operation) => operation.startsWith(kind.slice(0, 5)))).toHaveLength(times)
    expect(await perform(kind, card)).toEqual({ status: 'succeeded' })
    expect(done().filter((operation) => operation.startsWith(kind.slice(0, 5)))).toHaveLength(1)
  })

  test('tok_slow is answered after two seconds of the outside world', async () => {
    const { perform, watch, clock } = start()
    const end = watch(perform('authorize', 'tok_slow'))
    await clock.advance('1m')
    expect(end()).toEqual({ atMs: 2_000, value: { status: 'succeeded' } })
  })
})

describe('the network', () => {
  test.each([
    ['a request that is refused', { reach: async () => 'refused' as const }, { atMs: 0, outcome: 'not done' }, 0],
    ['a request that is lost', { reach: lost }, { atMs: 5_000, outcome: 'unknown' }, 0],
    ['an answer that is lost', { answer: lost }, { atMs: 5_000, outcome: 'unknown' }, 1],
    ['a network that fails', { reach: async () => Promise.reject(new Error('a bug')) }, { atMs: 0, outcome: 'Error: a bug' }, 0],
  ])('%s', async (_, network, expected, times) => {
    const { perform, find, watch, clock, done } = start({ network })
    const ends = [watch(perform('authorize')), watch(find('1:authorize:1'))]
    await clock.advance('1m')
    expect(ends.map((end) => end())).toEqual([expected, expected])
    expect(done()).toHaveLength(times)
  })

  test('a request that is long on its way is done after its deadline', async () => {
    const { perform, watch, way, clock, done } = start()
    way.reach = async () => {
      await sleep(clock, 6_000)
      return 'delivered'
    }
    const end = watch(perform('authorize'))
    await clock.advance('5s')
    expect(end()).toEqual({ atMs: 5_000, outcome: 'unknown' })
    expect(done()).toEqual([])
    await clock.advance('1s')
    expect(done()).toEqual(['authorization succeeded'])
    expect(end()).toMatchObject({ outcome: 'unknown' })
  })

  test('the deadline runs in the time of the service that asks', async () => {
    const { simulated, watch, clock } = start({ network: { answer: lost } })
    const own = new VirtualClock()
    const end = watch(simulated.provider(own).find('1:authorize:1'))
    await clock.advance('1h')
    expect(end()).toBeUndefined()
    await own.advance('5s')
    expect(end()).toMatchObject({ outcome: 'unknown' })
  })

  test('no timer stays behind an answer', async () => {
    const { perform, clock } = start()
    await perform('authorize')
    await clock.advance(0)
    expect(clock.nextTimerMs()).toBeUndefined()
  })
})

describe('webhooks', () => {
  test.each<[string, string[]]>([
    ['tok_ok', ['0 authorization.succeeded', '1000 capture.succeeded']],
    ['tok_webhooks_late', ['60000 authorization.succeeded', '61000 capture.succeeded']],
    ['tok_webhooks_twice', ['0 authorization.succeeded', '0 authorization.succeeded', '1000 capture.succeeded', '1000 capture.succeeded']],
    ['tok_webhooks_reversed', ['1000 capture.succeeded', '1000 authorization.succeeded']],
    ['tok_timeout_no_webhooks', []],
  ])('of %s', async (card, expected) => {
    const { perform, watch, clock, webhooks } = start()
    watch(perform('authorize', card))
    await clock.advance('1s')
    watch(perform('capture', card))
    await clock.advance('2m')
    expect(webhooks.map(({ atMs, type }) => `${atMs} ${type}`)).toEqual(expected)
  })

  test('are sent again after longer and longer pauses, signed anew, for an hour', async () => {
    const clock = new VirtualClock()
    const sent: SignedWebhook[] = []
    const atMs: number[] = []
    const { perform } = start({
      clock,
      async sendWebhook(webhook) {
        sent.push(webhook)
        atMs.push(clock.nowMs())
        // Refused, failed, and never answered: all the same.
        if (sent.length === 2) throw new Error('connection reset')
        return sent.length === 3 ? new Promise<never>(() => {}) : false
      },
    })
    await perform('authorize')
    await clock.advance('3h')
    const pauses = atMs.slice(1).map((at, place) => at - atMs[place]!)
    expect(pauses.slice(0, 8)).toEqual([1_000, 2_000, 9_000, 8_000, 16_000, 32_000, 60_000, 60_000])
    expect(atMs.at(-1)! - atMs[0]!).toBeGreaterThan(3_600_000)
    expect(atMs.at(-1)! - atMs[0]!).toBeLessThanOrEqual(3_660_000)
    expect(new Set(sent.map(({ payload }) => payload)).size).toBe(1)
    expect(new Set(sent.map(({ signature }) => signature)).size).toBe(sent.length)
  })

  test('an operation is news once, however often it is asked for', async () => {
    const { perform, webhooks } = start()
    for (let repetition = 0; repetition < 3; repetition++) await perform('authorize')
    expect(webhooks.map(({ type }) => type)).toEqual(['authorization.succeeded'])
  })
})
