import { describe, expect, test } from 'vitest'
import { testSystem } from '../testing/index.ts'
import type { World } from './fixtures/trip.ts'
import { fakesOf, flights, tripImplementation, trips, world } from './fixtures/trip.ts'

const open = (it: World) => testSystem({ services: [tripImplementation], fakes: fakesOf(it) })
type App = Awaited<ReturnType<typeof open>>
const stateOf = async (app: App, trip = 'a') => app.call.trips.getTrip({ trip })
const issue = (app: App, trip = 'a') => app.publish(flights.events.ticketIssued, { trip, ticket: `T-${trip}` })
const down = (): never => {
  throw new Error('down')
}

describe('a saga', () => {
  test('runs its steps in order, waits for its event, and ends with one transaction', async () => {
    const it = world()
    await using app = await open(it)
    await app.call.trips.bookTrip({ trip: 'a' })
    await app.settled()
    expect(it.asked).toEqual(['book', 'reserve'])
    expect(await app.call.trips.log()).toEqual(['a: F-a H-a'])
    expect(await stateOf(app)).toEqual({ state: 'booking', note: null })
    await issue(app)
    await app.settled()
    expect(await stateOf(app)).toEqual({ state: 'confirmed', note: 'T-a' })
    expect(app.published(trips.events.tripConfirmed)).toEqual([{ trip: 'a', ticket: 'T-a' }])
  })

  test('is forgotten 30 days after its end, with all its rows', async () => {
    await using app = await open(world())
    await app.call.trips.bookTrip({ trip: 'a' })
    await app.settled()
    await issue(app)
    await app.settled()
    const { database } = app.host.instances.get('trips')!
    const rows = async () =>
      (
        await database!.query<{ sagas: number; steps: number; events: number }>(
          `select (select count(*) from skerry_saga) as sagas, (select count(*) from skerry_saga_step) as steps, (select count(*) from skerry_saga_event) as events`,
        )
      ).rows[0]
    expect(await rows()).toEqual({ sagas: 1, steps: 4, events: 1 })
    const older = async (days: number) => {
      await database!.query(`update skerry_saga set ended_at = ended_at - make_interval(days => $1)`, [days])
      await database!.query(`update skerry_saga_event set at = at - make_interval(days => $1)`, [days])
      await app.clock.advance('61m')
      await app.settled()
    }
    await older(29)
    expect(await rows()).toMatchObject({ sagas: 1 })
    await older(2)
    expect(await rows()).toEqual({ sagas: 0, steps: 0, events: 0 })
  })

  test('leaves out a step whose condition is false', async () => {
    const it = world()
    await using app = await open(it)
    await app.call.trips.bookTrip({ trip: 'a', hotel: false })
    await app.settled()
    expect(it.asked).toEqual(['book'])
    expect(await app.call.trips.log()).toEqual(['a: F-a no hotel'])
  })

  test('is started once for a key', async () => {
    const it = world()
    await using app = await open(it)
    const first = await app.call.trips.bookTrip({ trip: 'a' })
    expect(await app.call.trips.bookTrip({ trip: 'a' })).toEqual(first)
    await app.settled()
    expect(await app.call.trips.bookTrip({ trip: 'a' })).toEqual(first)
    await app.settled()
    expect(it.asked).toEqual(['book', 'reserve'])
  })

  test('finds an event that came before it began to wait', async () => {
    let letBook: (() => void) | undefined
    const it = world((what) => (what === 'book' ? new Promise((resolve) => (letBook = resolve)) : undefined))
    await using app = await open(it)
    await app.call.trips.bookTrip({ trip: 'a' })
    await issue(app)
    await expect.poll(() => app.host.instances.get('trips')!.consumer!.idle && letBook !== undefined).toBe(true)
    letBook!()
    await app.settled()
    expect(await stateOf(app)).toEqual({ state: 'confirmed', note: 'T-a' })
  })

  test('gives each call a key of its own, the same at each attempt', async () => {
    const it = world((what, times) => (what === 'book' && times < 3 ? down() : undefined))
    await using app = await open(it)
    const { saga } = await app.call.trips.bookTrip({ trip: 'a' })
    await app.settled()
    const key = `${saga}/flight/run/flights.book/1`
    expect(it.keys).toEqual([key, key, key, `${saga}/hotel/run/hotels.reserve/1`])
  })

  test('a hundred at once are all done', async () => {
    const it = world()
    await using app = await open(it)
    const all = Array.from({ length: 100 }, (_, index) => `t${index}`)
    await Promise.all(all.map((trip) => app.call.trips.bookTrip({ trip })))
    await app.settled()
    await Promise.all(all.map((trip) => issue(app, trip)))
    await app.settled()
    for (const trip of all) expect((await stateOf(app, trip)).state).toBe('confirmed')
    expect(it.asked.filter((what) => what === 'book')).toHaveLength(100)
  })
})

describe('what fails', () => {
  test('is tried again; what is unreachable for as long as the saga may take', async () => {
    let healthy = false
    const it = world((what) => (what === 'book' && !healthy ? down() : undefined))
    await using app = await open(it)
    await app.call.trips.bookTrip({ trip: 'a' })
    for (let minute = 0; minute < 5; minute++) await app.clock.advance('1m')
    expect((await stateOf(app)).state).toBe('booking')
    healthy = true
    await app.clock.advance('1m')
    await app.settled()
    await issue(app)
    await app.settled()
    expect(await stateOf(app)).toEqual({ state: 'confirmed', note: 'T-a' })
  })

  test('with a declared problem undoes what was done before it, and not itself', async () => {
    const it = world((what) => (what === 'book' ? 'full' : undefined))
    await using app = await open(it)
    await app.call.trips.bookTrip({ trip: 'a' })
    await app.settled()
    expect(it.asked).toEqual(['book'])
    expect(await stateOf(app)).toEqual({ state: 'cancelled', note: 'full' })
  })

  test('by not coming in time undoes everything, in reverse', async () => {
    const it = world()
    await using app = await open(it)
    await app.call.trips.bookTrip({ trip: 'a' })
    await app.settled()
    await app.clock.advance('119m')
    await app.settled()
    expect((await stateOf(app)).state).toBe('booking')
    await app.clock.advance('1m')
    await app.settled()
    expect(it.asked).toEqual(['book', 'reserve', 'release', 'cancel'])
    expect(await app.call.trips.log()).toEqual(['a: F-a H-a', 'a: not after all, timedOut'])
    expect(await stateOf(app)).toEqual({ state: 'cancelled', note: 'timedOut' })
    await issue(app)
    await app.settled()
    expect((await stateOf(app)).state).toBe('cancelled')
  })

  test('to be undone is tried until it is', async () => {
    const it = world((what, times) => (what === 'release' && times < 8 ? down() : undefined))
    await using app = await open(it)
    await app.call.trips.bookTrip({ trip: 'a' })
    await app.settled()
    await app.call.trips.cancelTrip({ trip: 'a' })
    await app.settled()
    expect(await stateOf(app)).toEqual({ state: 'cancelled', note: 'customer' })
    expect(it.asked.filter((what) => what === 'cancel')).toHaveLength(1)
    expect(it.asked.at(-1)).toBe('cancel')
  })

  test('to be undone for good waits for a person, and what was done before it stays', async () => {
    const it = world((what) => (what === 'cancel' ? 'departed' : undefined))
    await using app = await open(it)
    await app.call.trips.bookTrip({ trip: 'a' })
    await app.settled()
    await app.call.trips.cancelTrip({ trip: 'a' })
    await app.settled()
    expect((await stateOf(app)).state).toBe('booking')
    const { rows } = await app.host.instances.get('trips')!.database!.query('select status, parked_because from skerry_saga')
    expect(rows).toEqual([{ status: 'parked', parked_because: expect.stringContaining('The step "flight" cannot be undone') }])
  })

  test('in a way nobody knows is undone too: the attempt may have had its effect', async () => {
    let letReserve: (() => void) | undefined
    const it = world((what) => (what === 'reserve' ? new Promise((resolve) => (letReserve = resolve)) : undefined))
    await using app = await open(it)
    await app.call.trips.bookTrip({ trip: 'a' })
    await expect.poll(() => it.asked).toEqual(['book', 'reserve'])
    expect(await app.call.trips.cancelTrip({ trip: 'a' })).toEqual({ answer: 'cancelling' })
    await app.clock.advance('31s')
    letReserve!()
    await app.settled()
    expect(it.asked).toEqual(['book', 'reserve', 'release', 'cancel'])
    expect(await stateOf(app)).toEqual({ state: 'cancelled', note: 'customer' })
  })
})

describe('cancelling', () => {
  test('while its last step before a wait runs, it does not wait', async () => {
    let letReserve: (() => void) | undefined
    const it = world((what) => (what === 'reserve' ? new Promise((resolve) => (letReserve = resolve)) : undefined))
    await using app = await open(it)
    await app.call.trips.bookTrip({ trip: 'a' })
    await expect.poll(() => it.asked).toEqual(['book', 'reserve'])
    expect(await app.call.trips.cancelTrip({ trip: 'a' })).toEqual({ answer: 'cancelling' })
    letReserve!()
    await app.settled()
    expect(it.asked).toEqual(['book', 'reserve', 'release', 'cancel'])
    expect(await stateOf(app)).toEqual({ state: 'cancelled', note: 'customer' })
  })

  test('an instance that has ended, or that never was, is too late or unknown', async () => {
    const it = world()
    await using app = await open(it)
    expect(await app.call.trips.cancelTrip({ trip: 'a' })).toEqual({ answer: 'unknown' })
    await app.call.trips.bookTrip({ trip: 'a' })
    await app.settled()
    await issue(app)
    await app.settled()
    expect(await app.call.trips.cancelTrip({ trip: 'a' })).toEqual({ answer: 'tooLate' })
    expect((await stateOf(app)).state).toBe('confirmed')
  })
})
