import { testSystem } from 'skerry/testing'
import { expect, test } from 'vitest'
import service from './service.ts'

const ann = { id: 1, name: 'Ann', email: 'ann@example.com' }
const uuid = '0190f3a4-5b6c-7d8e-9fa0-b1c2d3e4f506'

test('a user is created and found, by integer and by UUID in any case', async () => {
  await using app = await testSystem({ services: [service] })
  const { createUser, getUser } = app.call.userService
  expect(await createUser(ann)).toStrictEqual(ann)
  expect(await getUser({ id: 1 })).toStrictEqual(ann)
  const bob = { id: uuid, name: 'Bob “the builder” 🛠', email: 'bob@example.com' }
  expect(await createUser(bob)).toStrictEqual(bob)
  expect(await getUser({ id: uuid.toUpperCase() })).toStrictEqual(bob)
  expect(await getUser.try({ id: 2 })).toMatchObject({ ok: false, error: { code: 'userNotFound', status: 404, detail: 'User not found' } })
})

test('defect gone: a second POST with the same id overwrites silently', async () => {
  await using app = await testSystem({ services: [service] })
  const { createUser, getUser } = app.call.userService
  await createUser(ann)
  expect(await createUser(ann)).toStrictEqual(ann)
  for (const other of [
    { ...ann, name: 'Eve' },
    { ...ann, email: 'eve@example.com' },
  ])
    expect(await createUser.try(other)).toMatchObject({ ok: false, error: { code: 'userExists', status: 409 } })
  expect(await getUser({ id: 1 })).toStrictEqual(ann)
})

test('of many at once with one id, one is created and the others are told', async () => {
  await using app = await testSystem({ services: [service] })
  const names = Array.from({ length: 10 }, (_, index) => `Ann ${index}`)
  const results = Promise.all(names.map((name) => app.call.userService.createUser.try({ ...ann, name })))
  await app.settled()
  const created = (await results).flatMap((result) => (result.ok ? [result.value] : []))
  expect(created).toHaveLength(1)
  expect(await app.call.userService.getUser({ id: 1 })).toStrictEqual(created[0])
})

test.each([
  '',
  'ann',
  'ann@',
  '@example.com',
  'ann@example',
  'ann@@example.com',
  'ann example@example.com',
  'ann@example.com\nBcc: all@example.com',
])('defect gone: e-mail unchecked (%j)', async (email) => {
  await using app = await testSystem({ services: [service] })
  await expect(app.call.userService.createUser({ ...ann, email })).rejects.toMatchObject({ status: 422, code: 'invalidInput' })
})

test.each(['', 'a\u0000b', 'a\nb', 'a\ud800', 'x'.repeat(201)])('a name that cannot be kept as it is is refused (%j)', async (name) => {
  await using app = await testSystem({ services: [service] })
  await expect(app.call.userService.createUser({ ...ann, name })).rejects.toMatchObject({ status: 422, code: 'invalidInput' })
})
