import { inventory } from '@shop/inventory-contract'
import { testSystem } from 'skerry/testing'
import { describe, expect, test } from 'vitest'
import service from './service.ts'

const two = [
  { sku: 'mug', quantity: 2 },
  { sku: 'pen', quantity: 1 },
]
const start = () => testSystem({ services: [service] })
type App = Awaited<ReturnType<typeof start>>
const stockOf = async (app: App, sku: string) => {
  const { on_hand, reserved, available } = await app.call.inventory.getStock({ sku })
  return [on_hand, reserved, available]
}
const untouched = [2000, 0, 2000]

test('there is something to sell on the first day, and what was never there is not found', async () => {
  await using app = await start()
  expect(await app.call.inventory.getStock({ sku: 'mug' })).toStrictEqual({ sku: 'mug', on_hand: 2000, reserved: 0, available: 2000 })
  expect(await app.call.inventory.getStock.try({ sku: 'unicorn' })).toMatchObject({ ok: false, error: { code: 'stockNotFound' } })
})

describe('an adjustment', () => {
  test('adds pieces, also of a product that is new, and takes away those that nobody has reserved', async () => {
    await using app = await start()
    const { adjustStock, reserveStock, getStock } = app.call.inventory
    expect(await adjustStock({ sku: 'globe', quantity: 3, reason: 'delivery 4711' })).toMatchObject({ on_hand: 3, available: 3 })
    await reserveStock({ order_id: 1, lines: [{ sku: 'globe', quantity: 2 }] })
    expect(await adjustStock.try({ sku: 'globe', quantity: -2, reason: 'broken' })).toMatchObject({
      ok: false,
      error: { code: 'notEnoughStock', status: 409, data: { available: 1 } },
    })
    expect(await adjustStock({ sku: 'globe', quantity: -1, reason: 'broken' })).toMatchObject({ on_hand: 2, reserved: 2, available: 0 })
    expect(await adjustStock.try({ sku: 'atlas', quantity: -1, reason: 'missing' })).toMatchObject({ ok: false })
    expect(await getStock.try({ sku: 'atlas' })).toMatchObject({ ok: false, error: { code: 'stockNotFound' } })
  })

  test.each([
    ['its id', { id: '01a1fd9a-dc16-75c1-9953-204c0ac61b1d' }, undefined],
    ['its Idempotency-Key', {}, { idempotencyKey: 'delivery' }],
  ])('repeated under %s happens once; another one under it is refused', async (_, id, options) => {
    await using app = await start()
    const { adjustStock } = app.call.inventory
    const adjustment = { sku: 'mug', quantity: 5, reason: 'delivery', ...id }
    for (let repetition = 0; repetition < 3; repetition++) expect(await adjustStock(adjustment, options)).toMatchObject({ on_hand: 2005 })
    for (const change of [{ quantity: 6 }, { sku: 'pen' }, { reason: 'theft' }])
      expect(await adjustStock.try({ ...adjustment, ...change }, options)).toMatchObject({
        ok: false,
        error: { code: 'adjustmentExists', status: 409 },
      })
    expect(await stockOf(app, 'mug')).toEqual([2005, 0, 2005])
  })

  test.each([{ quantity: 0 }, { quantity: 1.5 }, { sku: 'No' }, { reason: '' }])('%j is refused', async (change) => {
    await using app = await start()
    const adjustment = { sku: 'mug', quantity: 1, reason: 'delivery', ...change }
    await expect(app.call.inventory.adjustStock(adjustment)).rejects.toMatchObject({ code: 'invalidInput' })
  })
})

describe('a reservation', () => {
  test('is kept, then committed: the pieces leave the warehouse once', async () => {
    await using app = await start()
    const { reserveStock, commitReservation, getReservation } = app.call.inventory
    const reserved = { order_id: 7, status: 'reserved', lines: two, expires_at: '2026-01-01T00:15:00.000Z' }
    for (let repetition = 0; repetition < 3; repetition++) expect(await reserveStock({ order_id: 7, lines: two })).toStrictEqual(reserved)
    expect(await stockOf(app, 'mug')).toEqual([2000, 2, 1998])
    expect(await getReservation({ order_id: 7 })).toStrictEqual(reserved)
    for (let repetition = 0; repetition < 3; repetition++)
      expect(await commitReservation({ order_id: 7 })).toMatchObject({ status: 'committed', expires_at: null })
    expect(await stockOf(app, 'mug')).toEqual([1998, 0, 1998])
    expect(await stockOf(app, 'pen')).toEqual([299, 0, 299])
    expect(await reserveStock({ order_id: 7, lines: two })).toMatchObject({ status: 'committed' })
    await app.settled()
    expect(app.published(inventory.events.stockReserved)).toStrictEqual([{ order_id: 7, lines: two, expires_at: reserved.expires_at }])
    expect(app.published(inventory.events.stockCommitted)).toStrictEqual([{ order_id: 7, lines: two }])
  })

  test('has all lines or none, and the answer stays no', async () => {
    await using app = await start()
    const { reserveStock, adjustStock } = app.call.inventory
    const greedy = {
      order_id: 7,
      lines: [
        { sku: 'mug', quantity: 1 },
        { sku: 'lighthouse', quantity: 41 },
        { sku: 'unicorn', quantity: 1 },
      ],
    }
    const shortages = [
      { sku: 'lighthouse', requested: 41, available: 40 },
      { sku: 'unicorn', requested: 1, available: 0 },
    ]
    const refusal = { ok: false, error: { code: 'outOfStock', status: 409, data: { shortages } } }
    expect(await reserveStock.try(greedy)).toMatchObject(refusal)
    await adjustStock({ sku: 'lighthouse', quantity: 10, reason: 'delivery' })
    expect(await reserveStock.try(greedy)).toMatchObject(refusal)
    expect(await stockOf(app, 'mug')).toEqual(untouched)
    await app.settled()
    expect(app.published(inventory.events.stockRejected)).toStrictEqual([{ order_id: 7, shortages }])
  })

  test('is named by its order alone: an Idempotency-Key, as a saga sends one, changes nothing', async () => {
    await using app = await start()
    const { reserveStock, commitReservation, releaseReservation, restockReservation } = app.call.inventory
    const key = (name: string) => ({ idempotencyKey: `saga 1/${name}` })
    const greedy = { order_id: 8, lines: [{ sku: 'lighthouse', quantity: 41 }] }
    for (let repetition = 0; repetition < 2; repetition++) {
      expect(await reserveStock({ order_id: 7, lines: two }, key('reserve'))).toMatchObject({ status: 'reserved' })
      expect(await reserveStock.try(greedy, key('greedy'))).toMatchObject({ ok: false, error: { code: 'outOfStock' } })
    }
    expect(await commitReservation({ order_id: 7 }, key('commit'))).toMatchObject({ status: 'committed' })
    expect(await restockReservation({ order_id: 7 }, key('restock'))).toMatchObject({ status: 'restocked' })
    expect(await releaseReservation({ order_id: 7 }, key('release'))).toMatchObject({ status: 'restocked' })
    await app.settled()
    expect(app.published(inventory.events.stockRejected)).toHaveLength(1)
    expect(await stockOf(app, 'mug')).toEqual(untouched)
  })

  test('adds up lines of one product, and is refused when an order that has one asks for something else', async () => {
    await using app = await start()
    const { reserveStock } = app.call.inventory
    const pens = (...quantities: number[]) => quantities.map((quantity) => ({ sku: 'pen', quantity }))
    expect(await reserveStock({ order_id: 7, lines: pens(1, 2) })).toMatchObject({ lines: pens(3) })
    expect(await reserveStock({ order_id: 7, lines: pens(3) })).toMatchObject({ lines: pens(3) })
    expect(await reserveStock.try({ order_id: 7, lines: pens(4) })).toMatchObject({ ok: false, error: { code: 'reservationDiffers' } })
    expect(await stockOf(app, 'pen')).toEqual([300, 3, 297])
  })

  test('is released once, and cannot be committed or made again', async () => {
    await using app = await start()
    const { reserveStock, releaseReservation, commitReservation } = app.call.inventory
    await reserveStock({ order_id: 7, lines: two })
    for (let repetition = 0; repetition < 3; repetition++)
      expect(await releaseReservation({ order_id: 7 })).toMatchObject({ status: 'released' })
    expect(await stockOf(app, 'mug')).toEqual(untouched)
    const closed = { ok: false, error: { code: 'reservationClosed', status: 409, data: { status: 'released' } } }
    expect(await commitReservation.try({ order_id: 7 })).toMatchObject(closed)
    expect(await reserveStock.try({ order_id: 7, lines: two })).toMatchObject(closed)
    await app.settled()
    expect(app.published(inventory.events.stockReleased)).toStrictEqual([{ order_id: 7, lines: two, reason: 'released' }])
  })

  test('that arrives after its release is refused', async () => {
    await using app = await start()
    const { reserveStock, releaseReservation } = app.call.inventory
    expect(await releaseReservation({ order_id: 7 })).toStrictEqual({ order_id: 7, status: 'released', lines: [], expires_at: null })
    expect(await reserveStock.try({ order_id: 7, lines: two })).toMatchObject({ ok: false, error: { code: 'reservationClosed' } })
    expect(await stockOf(app, 'mug')).toEqual(untouched)
    await app.settled()
    expect(app.published(inventory.events.stockReleased)).toEqual([])
  })

  test('that was committed is not released but restocked, once', async () => {
    await using app = await start()
    const { reserveStock, commitReservation, releaseReservation, restockReservation } = app.call.inventory
    await reserveStock({ order_id: 7, lines: two })
    await commitReservation({ order_id: 7 })
    expect(await releaseReservation.try({ order_id: 7 })).toMatchObject({ ok: false, error: { code: 'reservationCommitted', status: 409 } })
    for (let repetition = 0; repetition < 3; repetition++)
      expect(await restockReservation({ order_id: 7 })).toMatchObject({ status: 'restocked' })
    expect(await stockOf(app, 'mug')).toEqual(untouched)
    expect(await releaseReservation({ order_id: 7 })).toMatchObject({ status: 'restocked' })
    await app.settled()
    expect(app.published(inventory.events.stockReleased)).toStrictEqual([{ order_id: 7, lines: two, reason: 'restocked' }])
  })

  test('of nobody is not found', async () => {
    await using app = await start()
    const missing = { ok: false, error: { code: 'reservationNotFound', status: 404 } }
    expect(await app.call.inventory.getReservation.try({ order_id: 7 })).toMatchObject(missing)
    expect(await app.call.inventory.commitReservation.try({ order_id: 7 })).toMatchObject(missing)
  })
})

describe('after 15 minutes', () => {
  /** Half a minute after the schedule has run, so that what is overdue then is found by whoever looks. */
  const startBetweenSchedules = async () => {
    const app = await start()
    await app.clock.advance('30s')
    return app
  }
  const expired = { order_id: 7, lines: two, reason: 'expired' }
  const looks: [string, (app: App) => Promise<unknown>][] = [
    ['stock is read', (app) => app.call.inventory.getStock({ sku: 'pen' })],
    ['the reservation is read', (app) => app.call.inventory.getReservation({ order_id: 7 })],
    ['stock is adjusted', (app) => app.call.inventory.adjustStock({ sku: 'pen', quantity: 1, reason: 'delivery' })],
    ['it is committed', (app) => app.call.inventory.commitReservation.try({ order_id: 7 })],
    ['another order reserves', (app) => app.call.inventory.reserveStock({ order_id: 8, lines: [{ sku: 'pen', quantity: 300 }] })],
    ['somebody gives back what is overdue', (app) => app.call.inventory.expireReservations({})],
  ]
  test.each(looks)('a reservation ends once when %s', async (_, look) => {
    await using app = await startBetweenSchedules()
    const { reserveStock, getReservation, commitReservation } = app.call.inventory
    await reserveStock({ order_id: 7, lines: two })
    await app.clock.advance(15 * 60_000 - 1)
    expect(await app.call.inventory.expireReservations({})).toEqual({ expired: 0 })
    expect(await getReservation({ order_id: 7 })).toMatchObject({ status: 'reserved' })
    await app.clock.advance(1)
    await look(app)
    await app.settled()
    expect(app.published(inventory.events.stockReleased)).toStrictEqual([expired])
    expect(await stockOf(app, 'mug')).toEqual(untouched)
    expect(await getReservation({ order_id: 7 })).toMatchObject({ status: 'expired' })
    expect(await commitReservation.try({ order_id: 7 })).toMatchObject({ ok: false, error: { code: 'reservationExpired', status: 409 } })
    expect(await app.call.inventory.expireReservations({})).toEqual({ expired: 0 })
    await app.settled()
    expect(app.published(inventory.events.stockReleased)).toHaveLength(1)
  })

  test('it can be made again, unless it has been released', async () => {
    await using app = await startBetweenSchedules()
    const { reserveStock, releaseReservation } = app.call.inventory
    await reserveStock({ order_id: 7, lines: two })
    await app.clock.advance('15m')
    expect(await reserveStock({ order_id: 7, lines: two })).toMatchObject({ status: 'reserved', expires_at: '2026-01-01T00:30:30.000Z' })
    expect(await stockOf(app, 'mug')).toEqual([2000, 2, 1998])
    await app.clock.advance('15m')
    await app.call.inventory.expireReservations({})
    expect(await releaseReservation({ order_id: 7 })).toMatchObject({ status: 'released' })
    expect(await reserveStock.try({ order_id: 7, lines: two })).toMatchObject({ ok: false, error: { code: 'reservationClosed' } })
    expect(await stockOf(app, 'mug')).toEqual(untouched)
  })

  test('nobody need look: within a minute it is given back, once', async () => {
    await using app = await startBetweenSchedules()
    await app.call.inventory.reserveStock({ order_id: 7, lines: two })
    await app.clock.advance('16m')
    await app.settled()
    const { rows } = await app.host.instances.get('inventory')!.database!.query('select status from reservations')
    expect(rows).toEqual([{ status: 'expired' }])
    expect(app.published(inventory.events.stockReleased)).toStrictEqual([expired])
  })

  test('who asks for it at once gets as many as he may', async () => {
    await using app = await startBetweenSchedules()
    for (let order = 1; order <= 5; order++) await app.call.inventory.reserveStock({ order_id: order, lines: two })
    await app.clock.advance('15m')
    const rounds = []
    for (let round = 0; round < 4; round++) rounds.push((await app.call.inventory.expireReservations({ limit: 2 })).expired)
    expect(rounds).toEqual([2, 2, 1, 0])
    expect(await stockOf(app, 'mug')).toEqual(untouched)
  })
})

test('somebody is told when few are left, once for each time that it comes to that', async () => {
  await using app = await start()
  const { reserveStock, releaseReservation } = app.call.inventory
  const reserve = (order_id: number, quantity: number) => reserveStock({ order_id, lines: [{ sku: 'lighthouse', quantity }] })
  await reserve(1, 35)
  await reserve(2, 1)
  await reserve(3, 1)
  await releaseReservation({ order_id: 1 })
  await reserve(4, 36)
  await app.settled()
  expect(app.published(inventory.events.stockLow)).toEqual([
    { sku: 'lighthouse', on_hand: 40, reserved: 36, available: 4 },
    { sku: 'lighthouse', on_hand: 40, reserved: 38, available: 2 },
  ])
})
