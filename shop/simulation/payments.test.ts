import payments from '@shop/payments'
import { pglite } from '@skerry/pglite'
import { embeddedBroker } from 'skerry/engine'
import { createLog, readConfiguration, select, startHost, system } from 'skerry/runtime'
import { VirtualClock } from 'skerry/testing'
import { expect, onTestFinished, test } from 'vitest'
import { simulatedProvider } from './provider.ts'

const webhookSecret = 'a secret of this test'
const amount = { minor_units: 2_500, currency: 'EUR' as const }

/** Payments as it is, given the simulated provider in the place of its connections. */
async function start() {
  const clock = new VirtualClock()
  const { provider, book } = simulatedProvider({
    clock,
    network: { reach: async () => 'delivered', answer: async () => 'delivered' },
    webhookSecret,
    sendWebhook: async (webhook) => (await call.receiveWebhook.try(webhook)).ok,
  })
  const definition = system('test', { services: [payments] })
  const selection = select(definition, [])
  const environment = { PORT: '0', SKERRY_DATA: 'memory', PAYMENT_WEBHOOK_SECRET: webhookSecret }
  const host = await startHost({
    system: definition,
    selection,
    configuration: { ...(await readConfiguration(definition, selection, environment)), drainMs: 0 },
    engines: { database: async () => pglite({}), broker: async () => embeddedBroker({ clock }) },
    clock,
    resources: new Map([['payments', { provider }]]),
    log: createLog({ level: 'silent' }),
  })
  onTestFinished(() => host.stop())
  const call = host.clientFor(payments.contract)
  return { clock, call, book }
}

test('payments charges through it, and takes its webhooks for news of the provider', async () => {
  const { clock, call, book } = await start()
  const authorizing = call.authorizePayment.try({ order_id: 7, amount, card: 'tok_timeout' })
  await expect.poll(() => book().requests).toEqual({ '7:authorize:1': 1 })
  await expect.poll(async () => (await call.getPayment({ order_id: 7 })).status).toBe('authorized')
  await clock.advance('5s')
  await authorizing
  expect(await call.capturePayment({ order_id: 7 })).toMatchObject({ status: 'captured', captured: 2_500 })
  expect(book().requests).toEqual({ '7:authorize:1': 1, '7:capture:1': 1 })
  expect(book().operations.map(({ kind, status }) => `${kind} ${status}`)).toEqual(['authorization succeeded', 'capture succeeded'])
})
