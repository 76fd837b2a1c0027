/** Sagas through the admin API of a host that runs. */
import { expect, it } from 'vitest'
import type { World } from '../../saga/fixtures/trip.ts'
import { fakesOf, flights, tripImplementation, world } from '../../saga/fixtures/trip.ts'
import { testSystem } from '../../testing/test-system.ts'
import { remoteAdmin } from './client.ts'

const BY = 'ann'
const NOBODYS = '019b76da-a800-7000-8000-000000000000'

async function scene(it: World) {
  const held = new AsyncDisposableStack()
  const app = held.use(await testSystem({ services: [tripImplementation], fakes: fakesOf(it), environment: { ADMIN_PORT: '0' } }))
  const { call } = held.use(remoteAdmin(app.host.adminUrl!, app.clock))
  return {
    app,
    call,
    url: app.host.adminUrl!,
    book: async (trip: string) => (await app.call.trips.bookTrip({ trip })).saga,
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

it('lists sagas page by page and shows one', async () => {
  await using trip = await scene(world())
  const ids: string[] = []
  for (const name of ['a', 'b', 'c']) {
    ids.unshift(await trip.book(name))
    await trip.app.settled()
    await trip.app.clock.advance('1s')
  }
  const first = await trip.call.listSagas({ limit: 2, status: 'waiting' })
  const second = await trip.call.listSagas({ limit: 2, status: 'waiting', after: first.next! })
  expect([...first.sagas, ...second.sagas].map(({ id }) => id)).toEqual(ids)
  expect(second.next).toBeNull()
  expect(first.sagas[0]).toMatchObject({
    service: 'trips',
    name: 'bookTrip',
    status: 'waiting',
    at: ['ticket'],
    wait: { type: flights.events.ticketIssued.type, key: 'c' },
  })
  expect((await trip.call.listSagas({ service: 'trips', name: 'other' })).sagas).toEqual([])
  const shown = await trip.call.showSaga({ id: ids[2]! })
  expect(shown).toMatchObject({
    input: { trip: 'a', hotel: true },
    steps: [
      { name: 'flight', output: { ref: 'F-a' } },
      { name: 'hotel' },
      { name: 'note' },
      { name: 'ticket', kind: 'wait', status: 'running' },
    ],
    failure: null,
  })
  expect(shown.timeline[0]).toEqual({ at: shown.startedAt, what: 'started' })
})

it('says of which sagas the code is not here', async () => {
  await using trip = await scene(world())
  const [one, other] = [await trip.book('a'), await trip.book('b')]
  await trip.app.settled()
  await trip.app.host.instances.get('trips')!.database!.query(`update skerry_saga set version = 2 where id = $1`, [other])
  const { sagas } = await trip.call.listSagas({})
  expect(Object.fromEntries(sagas.map(({ id, isKnown }) => [id, isKnown]))).toEqual({ [one]: true, [other]: false })
  expect(await trip.call.showSaga({ id: other })).toMatchObject({ version: 2, isKnown: false })
})

it('takes up at once what was cancelled, retried and skipped', async () => {
  let departed = true
  await using trip = await scene(world((what) => (what === 'cancel' && departed ? 'departed' : undefined)))
  const ids = [await trip.book('a'), await trip.book('b')] as const
  await trip.app.settled()
  for (const id of ids) await trip.call.cancelSaga({ id, by: BY, reason: 'fraud' })
  await trip.app.settled()
  const parked = await trip.call.listSagas({ status: 'parked' })
  expect(parked.sagas.map(({ parkedBecause }) => parkedBecause)).toEqual(Array(2).fill(expect.stringContaining('cannot be undone')))
  await trip.call.skipSagaStep({ id: ids[0], by: BY })
  await trip.app.settled()
  departed = false
  await trip.call.retrySaga({ id: ids[1], by: BY })
  await trip.app.settled()
  for (const name of ['a', 'b']) expect(await trip.app.call.trips.getTrip({ trip: name })).toEqual({ state: 'cancelled', note: 'fraud' })
  expect((await trip.call.showSaga({ id: ids[0] })).interventions).toMatchObject([
    { action: 'cancel', step: null, by: BY },
    { action: 'skip', step: 'flight', by: BY },
  ])
})

it('answers mistakes with Problem Details that say what can be done instead', async () => {
  await using trip = await scene(world())
  const id = await trip.book('a')
  await trip.app.settled()
  const post = (path: string, body: unknown) =>
    fetch(`${trip.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  for (const [answer, status, code] of [
    [await fetch(`${trip.url}/sagas/7`), 422, 'invalidInput'],
    [await fetch(`${trip.url}/sagas/${NOBODYS}`), 404, 'sagaNotFound'],
    [await fetch(`${trip.url}/sagas?service=nobody`), 404, 'serviceNotFound'],
    [await fetch(`${trip.url}/sagas?after=7`), 400, 'pageInvalid'],
    [await fetch(`${trip.url}/sagas?status=bored`), 422, 'invalidInput'],
    [await fetch(`${trip.url}/sagas?limit=201`), 422, 'invalidInput'],
    [await post(`/sagas/${NOBODYS}/retry`, { by: BY }), 404, 'sagaNotFound'],
    [await post(`/sagas/${id}/cancel`, {}), 422, 'invalidInput'],
  ] as const)
    expect([answer.status, await answer.json()]).toMatchObject([status, { status, code }])
  expect(await (await post(`/sagas/${id}/skip`, { by: BY })).json()).toMatchObject({
    status: 409,
    code: 'sagaRefused',
    detail: expect.stringContaining('Only a step that parked its saga can be skipped'),
    data: { reason: 'notParked', instead: expect.stringContaining('cancel') },
  })
})
