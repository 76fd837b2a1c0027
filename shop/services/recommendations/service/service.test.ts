import { readFile } from 'node:fs/promises'
import type { Order } from '@shop/orders-contract'
import { orders } from '@shop/orders-contract'
import type { Database } from 'skerry/engine'
import { migrate } from 'skerry/runtime'
import { checkGoldenEvents, fake, testSystem } from 'skerry/testing'
import { expect, test } from 'vitest'
import { learnedBefore, paid, purchases } from './purchases.ts'
import service from './service.ts'

const price = { minor_units: 100, currency: 'EUR' as const }
const orderOf = (id: number, skus: string[], placed_at = '2026-01-01T00:00:00.000Z'): Order => ({
  id,
  user_id: 1,
  product: '',
  amount: 1,
  lines: skus.map((sku) => ({ sku, quantity: 1, name: sku, unit_price: price })),
  total: price,
  status: 'placed',
  reason: null,
  placed_at,
})
const start = async () => {
  const app = await testSystem({ services: [service], fakes: [fake(orders, {})] })
  return {
    app,
    ask: app.call.recommendations.getRecommendations,
    place: (id: number, skus: string[], placedAt?: string) => app.publish(orders.events.orderConfirmed, orderOf(id, skus, placedAt)),
    [Symbol.asyncDispose]: () => app[Symbol.asyncDispose](),
  }
}

test('what was bought together comes first, then what is bought most, then nothing', async () => {
  await using shop = await start()
  const { app, ask, place } = shop
  expect(await ask({})).toStrictEqual({ because: 'nothing', products: [], as_of: null })
  await place(1, ['tea', 'mug', 'tea'])
  await place(2, ['tea', 'mug', 'honey'])
  await place(3, ['lamp'], '2026-01-01T10:00:00.000Z')
  await place(3, ['lamp'])
  await app.settled()
  expect(await ask({ sku: 'tea' })).toStrictEqual({
    because: 'bought-together',
    products: [
      { sku: 'mug', orders: 2 },
      { sku: 'honey', orders: 1 },
    ],
    as_of: '2026-01-01T10:00:00.000Z',
  })
  const trending = [
    { sku: 'mug', orders: 2 },
    { sku: 'tea', orders: 2 },
    { sku: 'honey', orders: 1 },
  ]
  expect(await ask({ sku: 'lamp', limit: 3 })).toMatchObject({ because: 'trending', products: trending })
  expect(await ask({ limit: 1 })).toMatchObject({ products: [{ sku: 'mug', orders: 2 }] })
  await app.clock.skip('7d')
  expect(await ask({ sku: 'lamp' })).toMatchObject({ because: 'nothing', products: [] })
})

test('a rebuild keeps answering, and shows the same, also with orders that come meanwhile', async () => {
  await using shop = await start()
  const { app, ask, place } = shop
  const { projections } = app.host.instances.get('recommendations')!
  const generations = async () => (await projections.status(purchases)).map(({ generation, status }) => `${generation} ${status}`)
  for (let id = 1; id <= 10; id++) await place(id, ['tea', id % 2 === 0 ? 'mug' : 'honey'])
  await app.settled()
  expect(await generations()).toEqual(['1 live'])
  const shown: number[] = []
  const look = async () => {
    const { products } = await ask({ sku: 'tea' })
    shown.push(products.reduce((sum, { orders }) => sum + orders, 0))
  }
  await look()
  expect(await projections.rebuild(purchases)).toBe(2)
  let id = 10
  // Each time it is asked, one more has been bought, until the new generation has caught up and answers.
  do {
    id++
    await place(id, ['tea', id % 2 === 0 ? 'mug' : 'honey'])
    await look()
  } while ((await generations()).join() !== '2 live' || id < 20)
  await app.settled()
  await look()
  // The one that takes over may be a moment behind the one that leaves; what there was when it began is in both.
  expect(Math.min(...shown)).toBe(10)
  expect(shown.at(-1)).toBe(id)
})

test('a rebuild mends what is wrong', async () => {
  await using shop = await start()
  const { app, ask, place } = shop
  const { database, projections } = app.host.instances.get('recommendations')!
  await place(1, ['tea', 'mug'])
  await app.settled()
  await database!.query('update pairs set orders = 99')
  await place(2, ['tea', 'mug'])
  await app.settled()
  expect(await ask({ sku: 'tea' })).toMatchObject({ products: [{ sku: 'mug', orders: 100 }] })
  await projections.rebuild(purchases)
  await app.settled()
  expect(await ask({ sku: 'tea' })).toMatchObject({ products: [{ sku: 'mug', orders: 2 }] })
})

test('what the release before had learned is taken over', async () => {
  await using shop = await start()
  const { app, ask, place } = shop
  const { database, projections } = app.host.instances.get('recommendations')!
  await unmigrate(database!)
  await database!.query(
    `insert into orders_seen values ('1', '["mug","tea"]', '2026-01-01T09:30:00.125Z'), ('2', '["tea"]', '2026-01-01T09:00:00Z')`,
  )
  await migrate({ service: 'recommendations', database: database!, folder: MIGRATIONS, clock: app.clock })
  await projections.rebuild(purchases)
  await place(3, ['mug', 'tea'], '2026-01-01T08:00:00.000Z')
  await app.settled()
  expect(await ask({ sku: 'tea' })).toMatchObject({ products: [{ sku: 'mug', orders: 2 }], as_of: '2026-01-01T09:30:00.125Z' })
  expect((await ask({ limit: 1 })).products).toEqual([{ sku: 'tea', orders: 3 }])
})

test.each([paid, learnedBefore])('what was ever stored in $name is read as it must be', (stream) =>
  checkGoldenEvents(stream, new URL(`./golden/${stream.name}/`, import.meta.url)),
)

const MIGRATIONS = new URL('./migrations/', import.meta.url)

/** Leaves the database as the release before has left it. */
async function unmigrate(database: Database): Promise<void> {
  const before = await readFile(new URL('0001-create-projection.sql', MIGRATIONS), 'utf8')
  await database.transaction('read committed', async (transaction) => {
    await transaction.query(`delete from skerry_migration where name = '0002-to-a-projection.sql'`)
    // These names were tables of its own.
    await transaction.script('drop view pairs, sales')
    await transaction.script(before)
  })
}
