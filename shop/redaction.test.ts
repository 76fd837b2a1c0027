/** Who a customer is, and what he pays with, is told to nobody who reads logs, traces or metrics. */
import { createLog } from 'skerry/runtime'
import { expect, test } from 'vitest'
import { openCheckout } from './fixtures/whole-checkout.ts'

const NAME = 'Planted Marker'
const EMAIL = 'planted.marker@example.com'

test.each([
  ['in one process', false],
  ['over HTTP', true],
] as const)('an order, a declined card, a wrong address and an erasure leave no mark, with calls %s', async (_how, forceWire) => {
  const lines: string[] = []
  // Without the names of fields: whatever is not there for its value's sake shows.
  const log = createLog({ level: 'debug', destination: { write: (line) => void lines.push(line) } })
  const shop = await openCheckout({ forceWire, log })
  const { id } = await shop.call.users.registerUser({ name: NAME, email: EMAIL })
  const { order } = await shop.place('tok_ok', 1, 'mug', id)
  expect(await shop.outcome(order.id)).toBe('confirmed')
  const declined = await shop.place('tok_declined', 1, 'mug', id)
  expect(await shop.outcome(declined.order.id)).toBe('cancelled: paymentDeclined')
  const wrong = await fetch(`${shop.app.gatewayUrl}/users`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: NAME, email: `${EMAIL} and more` }),
  })
  expect(wrong.status).toBe(422)
  const taken = await shop.call.users.registerUser.try({ id, name: NAME, email: `other.${EMAIL}` })
  expect(taken).toMatchObject({ ok: false, error: { code: 'userExists' } })
  await shop.call.users.eraseUser({ id })
  await shop.app.settled()
  const told = [lines.join(''), JSON.stringify(shop.app.spans()), JSON.stringify(await shop.app.metrics())]
  for (const marker of [NAME, EMAIL, 'tok_declined', 'tok_ok']) for (const text of told) expect(text).not.toContain(marker)
})
