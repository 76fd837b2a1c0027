/** On a real PostgreSQL, where transactions do run at the same time. */
import { testSystem } from 'skerry/testing'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import service from './service.ts'

beforeAll(() => {
  vi.stubEnv('SKERRY_TEST_DATABASE_URL', process.env['SKERRY_TEST_POSTGRES_URL'])
})
afterAll(() => {
  vi.unstubAllEnvs()
})

const BUYERS = 12
const buyers = Array.from({ length: BUYERS }, (_, index) => index + 1)
const start = () => testSystem({ services: [service] })
type App = Awaited<ReturnType<typeof start>>

/** Pauses between attempts are on the clock of the test, which has to move until all have ended. */
async function together<T>(app: App, work: readonly Promise<T>[]): Promise<T[]> {
  let ended = false
  const all = Promise.all(work).finally(() => {
    ended = true
  })
  const isEnded = async (): Promise<boolean> => {
    await app.settled()
    return ended
  }
  await expect.poll(isEnded).toBe(true)
  return all
}

async function sell(app: App, pieces: number, lines: (order: number) => { sku: string; quantity: number }[]) {
  for (const sku of ['last', 'other']) await app.call.inventory.adjustStock({ sku, quantity: pieces, reason: 'delivery' })
  return together(
    app,
    buyers.map((order_id) => app.call.inventory.reserveStock.try({ order_id, lines: lines(order_id) })),
  )
}

test('concurrent reservation of the last item: one has it, all others are told that it is gone', async () => {
  await using app = await start()
  const answers = await sell(app, 1, () => [{ sku: 'last', quantity: 1 }])
  expect(answers.filter(({ ok }) => ok)).toHaveLength(1)
  expect(answers.filter((answer) => !answer.ok && answer.error.code === 'outOfStock')).toHaveLength(BUYERS - 1)
  expect(await app.call.inventory.getStock({ sku: 'last' })).toMatchObject({ on_hand: 1, reserved: 1, available: 0 })
})

test('of several products, asked for in different orders, as many orders are served as there are pieces', async () => {
  await using app = await start()
  const lines = [
    { sku: 'last', quantity: 1 },
    { sku: 'other', quantity: 1 },
  ]
  const answers = await sell(app, 5, (order) => (order % 2 === 0 ? lines : lines.toReversed()))
  expect(answers.filter(({ ok }) => ok)).toHaveLength(5)
  expect(answers.filter((answer) => !answer.ok).map((answer) => answer.error.code)).toEqual(Array(BUYERS - 5).fill('outOfStock'))
  for (const sku of ['last', 'other'])
    expect(await app.call.inventory.getStock({ sku })).toMatchObject({ on_hand: 5, reserved: 5, available: 0 })
})

test('one order asked for many times at once is reserved once', async () => {
  await using app = await start()
  const request = { order_id: 7, lines: [{ sku: 'mug', quantity: 3 }] }
  const answers = await together(
    app,
    buyers.map(() => app.call.inventory.reserveStock(request)),
  )
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
  expect(await app.call.inventory.getStock({ sku: 'mug' })).toMatchObject({ reserved: 3 })
})

test('what is overdue is given back once, however many look, and who commits meanwhile gets it or does not', async () => {
  await using app = await start()
  const { reserveStock, commitReservation, expireReservations, getStock } = app.call.inventory
  for (const order_id of buyers) await reserveStock({ order_id, lines: [{ sku: 'mug', quantity: 1 }] })
  await app.clock.advance('15m')
  await together(
    app,
    buyers.flatMap((order_id) => [
      expireReservations({ limit: 5 }),
      commitReservation.try({ order_id }),
      getStock({ sku: 'mug' }),
    ]) as Promise<unknown>[],
  )
  expect(await getStock({ sku: 'mug' })).toMatchObject({ on_hand: 2000, reserved: 0, available: 2000 })
})

test('release and commit of one reservation at once: one of them wins, and the pieces are where it says', async () => {
  await using app = await start()
  const { reserveStock, commitReservation, releaseReservation, getStock } = app.call.inventory
  for (const order_id of buyers) await reserveStock({ order_id, lines: [{ sku: 'mug', quantity: 1 }] })
  const answers = await together(
    app,
    buyers.map(async (order_id) => {
      const [commit, release] = await Promise.all([commitReservation.try({ order_id }), releaseReservation.try({ order_id })])
      return { commit: commit.ok, release: release.ok }
    }),
  )
  for (const { commit, release } of answers) expect(commit).toBe(!release)
  const committed = answers.filter(({ commit }) => commit).length
  expect(await getStock({ sku: 'mug' })).toMatchObject({ on_hand: 2000 - committed, reserved: 0 })
})
