import { beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import type { Database } from '../engine/database.ts'
import { migratedDatabases } from '../testing/fixtures/migrated-databases.ts'
import { declareSaga } from './definition.ts'
import { checkSagaVersions } from './versions.ts'

const openDatabase = migratedDatabases()
let database: Database
beforeEach(async () => {
  database = await openDatabase()
})

const step = { run: async () => 1 }
const declare = (version = 1) => declareSaga('shop', 'checkout', { input: z.object({}), version })
const check = (...sagas: { definition: Parameters<typeof checkSagaVersions>[2][number] }[]) =>
  checkSagaVersions(
    'shop',
    database,
    sagas.map(({ definition }) => definition),
  )
const running = (version: number, status = 'running') =>
  database.query(
    `insert into skerry_saga (id, name, version, status, input, traceparent, started_at) values (gen_random_uuid(), 'checkout', $1, $2, '{}', '', now())`,
    [version, status],
  )
const refusal = (message: RegExp) =>
  expect.objectContaining({ code: 'sagaIncompatible', message: expect.stringMatching(message) as string }) as Error

test('steps may be appended to a version of which instances run', async () => {
  await check(declare().step('reserve', step))
  await running(1)
  await check(declare().step('reserve', step).step('pay', step))
  await expect(check(declare().step('reserve', step))).rejects.toThrow(
    refusal(/1 of "checkout" version 1 are not done, and its steps have changed \("remote pay" is missing\)/),
  )
})

test.each([
  ['renamed', declare().step('hold', step).step('pay', step), /step 1 was "remote reserve" and is "remote hold"/],
  ['put in front', declare().step('price', step).step('reserve', step).step('pay', step), /step 1 was/],
  ['made local', declare().local('reserve', step).step('pay', step), /"local reserve"/],
  [
    'made the pivot',
    declare()
      .step('reserve', step)
      .step('pay', { ...step, pivot: true }),
    /"remote pay \(pivot\)"/,
  ],
])('a step that was %s is refused while instances run, and taken when they are done', async (_, changed, message) => {
  await check(declare().step('reserve', step).step('pay', step))
  await running(1)
  await running(1, 'parked')
  await expect(check(changed)).rejects.toThrow(refusal(message))
  await database.query(`update skerry_saga set status = 'completed'`)
  await check(changed)
})

test('a version that is gone is refused while instances of it run, and a new one beside it is fine', async () => {
  const old = declare().step('reserve', step)
  await check(old)
  await running(1, 'compensating')
  await expect(check(declare(2).step('hold', step))).rejects.toThrow(refusal(/"checkout" version 1 are not done, and that version is gone/))
  await check(old, declare(2).step('hold', step))
})
