import { users } from '@shop/users-contract'
import { testSystem } from 'skerry/testing'
import { expect, test } from 'vitest'
import service from './service.ts'

const eve = { name: 'Eve', email: 'eve@example.com' }
const conflict = { ok: false, error: { code: 'userExists', status: 409 } }

test('there is somebody to order as on the first day', async () => {
  await using app = await testSystem({ services: [service] })
  expect(await app.call.users.getUser({ id: 1 })).toStrictEqual({ id: 1, name: 'Ann Archer', email: 'ann@example.com' })
  expect(await app.call.users.getUser.try({ id: 3 })).toMatchObject({ ok: false, error: { code: 'userNotFound', status: 404 } })
})

test('a user gets an id, or brings one', async () => {
  await using app = await testSystem({ services: [service] })
  const { registerUser, getUser } = app.call.users
  const given = await registerUser(eve)
  expect(given).toStrictEqual({ ...eve, id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/) as string })
  expect(await getUser({ id: given.id })).toStrictEqual(given)
  const brought = { ...eve, id: 77 }
  expect(await registerUser(brought)).toStrictEqual(brought)
  expect(await getUser({ id: 77 })).toStrictEqual(brought)
})

test('a repeated registration changes nothing; another one under the same name is refused', async () => {
  await using app = await testSystem({ services: [service] })
  const { registerUser, getUser } = app.call.users
  await registerUser({ ...eve, id: 77 })
  expect(await registerUser({ ...eve, id: 77 })).toStrictEqual({ ...eve, id: 77 })
  expect(await registerUser.try({ ...eve, id: 77, name: 'Mallory' })).toMatchObject(conflict)
  const named = { idempotencyKey: 'first visit' }
  const first = await registerUser(eve, named)
  expect(await registerUser(eve, named)).toStrictEqual(first)
  expect(await registerUser.try({ ...eve, name: 'Mallory' }, named)).toMatchObject(conflict)
  expect(await registerUser.try({ ...eve, id: 77 }, named)).toMatchObject(conflict)
  expect(await getUser({ id: 77 })).toStrictEqual({ ...eve, id: 77 })
  expect((await registerUser(eve)).id).not.toBe(first.id)
})

test('of many at once under one Idempotency-Key, all get the same user', async () => {
  await using app = await testSystem({ services: [service] })
  const answers = Promise.all(Array.from({ length: 10 }, () => app.call.users.registerUser(eve, { idempotencyKey: 'once' })))
  await app.settled()
  expect(new Set((await answers).map(({ id }) => id)).size).toBe(1)
})

test('an erased user is unknown, everybody hears of it once, and nobody has his name or his address any more', async () => {
  await using app = await testSystem({ services: [service] })
  const { registerUser, getUser, eraseUser } = app.call.users
  await registerUser({ ...eve, id: 77 })
  for (let repetition = 0; repetition < 3; repetition++) await eraseUser({ id: 77 })
  await Promise.all([eraseUser({ id: 1 }), eraseUser({ id: 1 })])
  await app.settled()
  expect(app.published(users.events.userErased)).toEqual([{ user_id: 77 }, { user_id: 1 }])
  for (const id of [77, 1])
    expect(await getUser.try({ id })).toMatchObject({ ok: false, error: { code: 'userNotFound', status: 404, detail: 'User not found' } })
  const { rows } = await app.host.instances
    .get('users')!
    .database!.query(`select id from users where name is not null or email is not null`)
  expect(rows).toEqual([{ id: '2' }])
})

test('nobody is erased who was never there', async () => {
  await using app = await testSystem({ services: [service] })
  expect(await app.call.users.eraseUser.try({ id: 77 })).toMatchObject({ ok: false, error: { code: 'userNotFound', status: 404 } })
  await app.settled()
  expect(app.published(users.events.userErased)).toEqual([])
  expect(await app.call.users.registerUser({ ...eve, id: 77 })).toMatchObject({ id: 77 })
})

test.each([
  ['under his id', { ...eve, id: 77 }, undefined],
  ['under an Idempotency-Key', eve, { idempotencyKey: 'first visit' }],
])('a registration %s that comes again after the erasure brings nobody back', async (_, request, options) => {
  await using app = await testSystem({ services: [service] })
  const { registerUser, getUser, eraseUser } = app.call.users
  const { id } = await registerUser(request, options)
  await eraseUser({ id })
  expect(await registerUser.try(request, options)).toMatchObject(conflict)
  expect(await getUser.try({ id })).toMatchObject({ ok: false, error: { code: 'userNotFound' } })
})
