import { describe, expect, test } from 'vitest'
import { testSystem } from '../testing/index.ts'
import type { Begun } from './fixtures/job.ts'
import { asking, openWith } from './fixtures/job.ts'
import type { World } from './fixtures/trip.ts'
import { fakesOf, flights, tripImplementation, world } from './fixtures/trip.ts'
import { cancelSaga, retrySaga, skipSagaStep } from './saga-admin.ts'
import { readSaga, readSagas } from './saga-rows.ts'
import * as store from './saga-store.ts'

const BY = 'ann'
const NOBODYS = '019b76da-a800-7000-8000-000000000000'

/** Trips whose saga people look after, and whose worker is told of it as a host would. */
async function scene(it: World) {
  const app = await testSystem({ services: [tripImplementation], fakes: fakesOf(it) })
  const { database, hosted } = app.host.instances.get('trips')!
  const act = () => ({ by: BY, now: app.clock.now() })
  return {
    app,
    act,
    database: database!,
    book: async (trip = 'a') => (await app.call.trips.bookTrip({ trip })).saga,
    go: async () => {
      hosted.sagas!.worker.wake()
      await app.settled()
    },
    state: async (trip = 'a') => app.call.trips.getTrip({ trip }),
    [Symbol.asyncDispose]: () => app[Symbol.asyncDispose](),
  }
}

/** Parked on its way back, because the flight has departed until `mend` is called. */
async function parkedScene() {
  let departed = true
  const it = world((what) => (what === 'cancel' && departed ? 'departed' : undefined))
  const trip = await scene(it)
  const id = await trip.book()
  await trip.app.settled()
  await trip.app.call.trips.cancelTrip({ trip: 'a' })
  await trip.app.settled()
  return Object.assign(trip, { it, id, mend: () => (departed = false) })
}

/** Parked behind its pivot, by the steps named in `refuses`. */
async function behindPivot(refuses: string[], parallel = false) {
  const job = await openWith((saga: Begun) => {
    const captured = saga.step('first', asking('first')).step('capture', { ...asking('capture'), pivot: true })
    const shipped = parallel ? captured.parallel({ ship: asking('ship'), bill: asking('bill') }) : captured.step('ship', asking('ship'))
    return shipped
  }, refuses)
  const { app } = job
  const { database, hosted } = app.host.instances.get('jobs')!
  await app.call.jobs.run({ job: 'a' })
  await app.settled()
  const [{ id } = { id: NOBODYS }] = await readSagas(database!, {}, undefined, 1)
  const go = async () => {
    hosted.sagas!.worker.wake()
    await app.settled()
  }
  return Object.assign(job, { id, go, database: database!, act: () => ({ by: BY, now: app.clock.now() }) })
}

const refusal = (reason: string, instead: RegExp) => ({
  done: false,
  refused: { reason, because: expect.stringMatching(/\.$/) as unknown, instead: expect.stringMatching(instead) as unknown },
})

describe('what people see', () => {
  test('is how far each saga is, the newest first, page by page', async () => {
    await using trip = await scene(world((what, times) => (what === 'book' && times === 3 ? 'full' : undefined)))
    const ids: string[] = []
    for (const name of ['a', 'b', 'c']) {
      ids.unshift(await trip.book(name))
      await trip.app.settled()
      await trip.app.clock.advance('1s')
    }
    await trip.app.publish(flights.events.ticketIssued, { trip: 'a', ticket: 'T' })
    await trip.app.settled()
    const all = await readSagas(trip.database, {}, undefined, 10)
    expect(all.map(({ id }) => id)).toEqual(ids)
    expect(all).toMatchObject([
      { name: 'bookTrip', version: 1, status: 'compensated', at: [], wait: null, endedAt: expect.any(Date) },
      { status: 'waiting', at: ['ticket'], wait: { type: 'flights.ticketIssued.v1', key: 'b' }, endedAt: null, parkedBecause: null },
      { status: 'completed', at: [] },
    ])
    const first = await readSagas(trip.database, {}, undefined, 2)
    const place = { at: first[1]!.startedAt, id: first[1]!.id }
    expect([...first, ...(await readSagas(trip.database, {}, place, 2))]).toEqual(all)
    for (const [status, count] of Object.entries({ waiting: 1, running: 0, parked: 0, completed: 1, compensated: 1 }))
      expect(await readSagas(trip.database, { status: status as 'waiting' }, undefined, 10)).toHaveLength(count)
    expect(await readSagas(trip.database, { name: 'bookTrips' }, undefined, 10)).toEqual([])
  })

  test('of one saga is its input, each step, why it is being undone, and when what happened', async () => {
    await using trip = await parkedScene()
    expect(await readSaga(trip.database, NOBODYS)).toBeUndefined()
    const saga = await readSaga(trip.database, trip.id)
    expect(saga).toMatchObject({
      status: 'parked',
      at: ['flight'],
      parkedBecause: expect.stringContaining('"flight" cannot be undone'),
      input: { trip: 'a', hotel: true },
      failure: { reason: 'cancelled', code: 'customer' },
      cancelCode: 'customer',
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
      steps: [
        {
          name: 'flight',
          kind: 'remote',
          stage: 1,
          status: 'undoing',
          attempts: 1,
          output: { ref: 'F-a' },
          error: expect.stringContaining('Departed'),
        },
        { name: 'hotel', status: 'undone', output: { ref: 'H-a' }, error: null },
        { name: 'note', kind: 'local', status: 'undone' },
        { name: 'ticket', kind: 'wait', stage: 4, status: 'running', output: null },
      ],
      interventions: [],
    })
    expect(saga!.timeline[0]).toEqual({ at: saga!.startedAt, what: 'started' })
    expect(saga!.timeline.map(({ what }) => what)).toContain('hotel undone')
    expect(saga!.timeline.map(({ at }) => at)).toEqual(saga!.timeline.map(({ at }) => at).toSorted((a, b) => a.getTime() - b.getTime()))
  })
})

describe('retrying', () => {
  test('a parked saga goes on in its direction, with all its attempts', async () => {
    await using trip = await parkedScene()
    trip.mend()
    expect(await retrySaga(trip.database, trip.id, trip.act())).toMatchObject({
      done: true,
      saga: { status: 'compensating', at: ['flight'] },
    })
    expect((await readSaga(trip.database, trip.id))!.steps[0]).toMatchObject({ status: 'undoing', attempts: 0 })
    await trip.go()
    expect(await trip.state()).toEqual({ state: 'cancelled', note: 'customer' })
    expect(await readSaga(trip.database, trip.id)).toMatchObject({
      status: 'compensated',
      parkedBecause: null,
      interventions: [{ action: 'retry', step: 'flight', by: BY }],
    })
  })

  test('what is refused again parks it again', async () => {
    await using trip = await parkedScene()
    await retrySaga(trip.database, trip.id, trip.act())
    await trip.go()
    expect(await readSaga(trip.database, trip.id)).toMatchObject({ status: 'parked', at: ['flight'] })
    expect(trip.it.asked.filter((what) => what === 'cancel')).toHaveLength(2)
  })

  test('behind the pivot it goes forward', async () => {
    const refuses = ['ship']
    await using job = await behindPivot(refuses)
    refuses.pop()
    expect(await retrySaga(job.database, job.id, job.act())).toMatchObject({ done: true, saga: { status: 'running', at: ['ship'] } })
    await job.go()
    expect(await job.app.call.jobs.ends()).toEqual([expect.stringContaining('completed')])
    expect(job.asked).toEqual(['first', 'capture', 'ship', 'ship'])
  })

  test('what rests until its next attempt makes it now', async () => {
    let broken = true
    const it = world((what) => {
      if (what === 'book' && broken) throw new Error('down')
    })
    await using trip = await scene(it)
    const id = await trip.book()
    await expect.poll(async () => (await readSagas(trip.database, { id }, undefined, 1))[0]!.nextAt).not.toBeNull()
    const [resting] = await readSagas(trip.database, { id }, undefined, 1)
    expect(resting).toMatchObject({ status: 'running', at: ['flight'] })
    expect(resting!.nextAt!.getTime()).toBeGreaterThan(trip.app.clock.nowMs())
    broken = false
    const atMs = trip.app.clock.nowMs()
    expect(await retrySaga(trip.database, id, trip.act())).toMatchObject({ done: true, saga: { nextAt: new Date(atMs) } })
    expect(await retrySaga(trip.database, id, trip.act())).toMatchObject(refusal('due', /a host runs/))
    trip.app.host.instances.get('trips')!.hosted.sagas!.worker.wake()
    await expect.poll(() => it.asked).toEqual(['book', 'book', 'reserve'])
    expect(trip.app.clock.nowMs()).toBe(atMs)
  })

  test('is refused to what waits, is worked on, or has ended', async () => {
    let letBook: (() => void) | undefined
    await using trip = await scene(world((what) => (what === 'book' ? new Promise((resolve) => (letBook = resolve)) : undefined)))
    const id = await trip.book()
    await expect.poll(() => letBook).toBeDefined()
    expect(await retrySaga(trip.database, id, trip.act())).toMatchObject(refusal('working', /again with show/))
    letBook!()
    await trip.app.settled()
    expect(await retrySaga(trip.database, id, trip.act())).toMatchObject(refusal('waiting', /cancel/))
    await trip.app.publish(flights.events.ticketIssued, { trip: 'a', ticket: 'T' })
    await trip.app.settled()
    expect(await retrySaga(trip.database, id, trip.act())).toMatchObject(refusal('ended', /another/))
    expect(await retrySaga(trip.database, NOBODYS, trip.act())).toEqual({ done: false, refused: undefined })
    expect((await readSaga(trip.database, id))!.interventions).toEqual([])
  })
})

describe('skipping', () => {
  test('counts a step as undone by hand, and the rest is undone', async () => {
    await using trip = await parkedScene()
    expect(await skipSagaStep(trip.database, trip.id, { ...trip.act(), output: {} })).toMatchObject(refusal('outputUnwanted', /output out/))
    expect(await skipSagaStep(trip.database, trip.id, { ...trip.act(), step: 'hotel' })).toMatchObject(refusal('whichStep', /: flight\./))
    expect(await skipSagaStep(trip.database, trip.id, trip.act())).toMatchObject({ done: true, saga: { status: 'compensating' } })
    await trip.go()
    expect(await trip.state()).toEqual({ state: 'cancelled', note: 'customer' })
    expect(trip.it.asked.filter((what) => what === 'cancel')).toHaveLength(1)
    const saga = await readSaga(trip.database, trip.id)
    expect(saga).toMatchObject({ status: 'compensated', interventions: [{ action: 'skip', step: 'flight', by: BY }] })
    expect(saga!.timeline.map(({ what }) => what)).toContain('skip of flight by ann')
  })

  test.each([
    [{ output: { heard: 'by hand' } }, '"ship":{"heard":"by hand"}'],
    [{}, '"capture":{"heard":"capture"}}'],
  ])('behind the pivot counts it as done, with the output %j', async (given, done) => {
    await using job = await behindPivot(['ship'])
    await skipSagaStep(job.database, job.id, { ...job.act(), ...given })
    await job.go()
    expect(await job.app.call.jobs.ends()).toEqual([expect.stringContaining(done)])
    expect(job.asked).toEqual(['first', 'capture', 'ship'])
  })

  test('of two that parked it needs a name, and the other is tried again', async () => {
    const refuses = ['ship', 'bill']
    await using job = await behindPivot(refuses, true)
    expect((await readSagas(job.database, {}, undefined, 1))[0]).toMatchObject({ status: 'parked', at: ['ship', 'bill'] })
    expect(await skipSagaStep(job.database, job.id, job.act())).toMatchObject(refusal('whichStep', /bill or ship/))
    refuses.length = 0
    expect(await skipSagaStep(job.database, job.id, { ...job.act(), step: 'ship' })).toMatchObject({ done: true, saga: { at: ['bill'] } })
    await job.go()
    expect(await job.app.call.jobs.ends()).toEqual([expect.stringContaining('completed')])
    expect(job.asked.slice(2).toSorted()).toEqual(['bill', 'bill', 'ship'])
  })

  test('is refused to what is not parked', async () => {
    await using trip = await scene(world())
    const id = await trip.book()
    await trip.app.settled()
    expect(await skipSagaStep(trip.database, id, trip.act())).toMatchObject(refusal('notParked', /cancel/))
    expect(await skipSagaStep(trip.database, NOBODYS, trip.act())).toEqual({ done: false, refused: undefined })
  })
})

describe('cancelling', () => {
  test('has it undone with the code, once', async () => {
    await using trip = await scene(world())
    const id = await trip.book()
    await trip.app.settled()
    expect(await cancelSaga(trip.database, id, { ...trip.act(), code: 'fraud' })).toMatchObject({ done: true })
    expect(await cancelSaga(trip.database, id, { ...trip.act(), code: 'boredom' })).toMatchObject(refusal('undoing', /end/))
    await trip.go()
    expect(await trip.state()).toEqual({ state: 'cancelled', note: 'fraud' })
    expect(await cancelSaga(trip.database, id, { ...trip.act(), code: 'fraud' })).toMatchObject(refusal('ended', /another/))
    expect((await readSaga(trip.database, id))!.interventions).toMatchObject([{ action: 'cancel', step: null }])
  })

  test('is refused past the pivot, and to what is being undone', async () => {
    await using job = await behindPivot(['ship'])
    expect(await cancelSaga(job.database, job.id, { ...job.act(), code: 'x' })).toMatchObject(refusal('pastPivot', /retry or skip/))
    await using trip = await parkedScene()
    expect(await cancelSaga(trip.database, trip.id, { ...trip.act(), code: 'x' })).toMatchObject(refusal('undoing', /retry.*skip/))
  })

  test('while a worker is at a step lets the step end, and undoes it too', async () => {
    let letReserve: (() => void) | undefined
    const it = world((what) => (what === 'reserve' ? new Promise((resolve) => (letReserve = resolve)) : undefined))
    await using trip = await scene(it)
    const id = await trip.book()
    await expect.poll(() => letReserve).toBeDefined()
    expect(await cancelSaga(trip.database, id, { ...trip.act(), code: 'fraud' })).toMatchObject({ done: true })
    letReserve!()
    await trip.app.settled()
    expect(it.asked).toEqual(['book', 'reserve', 'release', 'cancel'])
    expect(await trip.state()).toEqual({ state: 'cancelled', note: 'fraud' })
  })
})

describe('at once', () => {
  test.each([
    ['retry and retry', [retrySaga, retrySaga]],
    ['skip and skip', [skipSagaStep, skipSagaStep]],
    ['retry and skip', [retrySaga, skipSagaStep]],
  ])('%s: one wins, and the other is told', async (_, acts) => {
    await using trip = await parkedScene()
    const results = await Promise.all(acts.map((act) => act(trip.database, trip.id, trip.act())))
    expect(results.filter(({ done }) => done)).toHaveLength(1)
    expect((await readSaga(trip.database, trip.id))!.interventions).toHaveLength(1)
  })

  test('what a worker still writes that held it before is refused', async () => {
    await using trip = await parkedScene()
    const { rows } = await trip.database.query<{ epoch: number }>('select epoch from skerry_saga')
    const held = {
      id: trip.id,
      epoch: rows[0]!.epoch,
      pastPivot: false,
      now: trip.app.clock.now(),
      wait: undefined,
      nextAt: null,
      endedAt: null,
      progressed: false,
      unlessCancelled: false,
    }
    const late = { ...held, state: { status: 'parked', input: {}, startedAtMs: 0, steps: {} }, changed: [], owner: NOBODYS } as const
    expect(await store.write(trip.database, late)).toBeDefined()
    expect(await retrySaga(trip.database, trip.id, trip.act())).toMatchObject({ done: true })
    expect(await store.write(trip.database, late)).toBeUndefined()
    expect(await store.renew(trip.database, NOBODYS, [trip.id], trip.app.clock.now())).toEqual(new Set())
  })
})
