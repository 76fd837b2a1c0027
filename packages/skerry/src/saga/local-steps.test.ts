/** Local steps that follow one another are done in one transaction where all goes well, and each in its own where it does not. */
import { expect, test } from 'vitest'
import type { Saga } from './definition.ts'
import type { Begun } from './fixtures/job.ts'
import { asking, openWith } from './fixtures/job.ts'

/** Leaves a line, and fails after it as often as it is told to. */
const noting = (text: string, failures = { left: 0 }) => ({
  run: async ({ db }: Parameters<Parameters<Begun['local']>[1]['run']>[0]) => {
    await db.insertInto('ends').values({ job: 'a', text }).execute()
    if (failures.left-- > 0) throw new Error('not now')
    return text
  },
  undo: async ({ db }: Parameters<Parameters<Begun['local']>[1]['run']>[0]) =>
    void (await db
      .insertInto('ends')
      .values({ job: 'a', text: `undo ${text}` })
      .execute()),
  retry: { attempts: 2 },
})

/** What each transaction has left, in their order. */
async function transactions(it: Awaited<ReturnType<typeof openWith>>): Promise<readonly (readonly string[])[]> {
  const { database } = it.app.host.instances.get('jobs')!
  const { rows } = await database!.query<{ texts: string[] }>(
    `select array_agg(text order by ctid) as texts from ends group by xmin::text::bigint order by xmin::text::bigint`,
  )
  return rows.map(({ texts }) => texts)
}

test('are done in one transaction, the end of the saga with them', async () => {
  await using it = await openWith((saga) => saga.step('asked', asking('asked')).local('one', noting('one')).local('two', noting('two')))
  await it.app.call.jobs.run({ job: 'a' })
  await it.app.settled()
  expect(await transactions(it)).toEqual([['one', 'two', 'completed {"asked":{"heard":"asked"},"one":"one","two":"two"}']])
})

test('are left out, and given what those before them gave', async () => {
  const given: unknown[] = []
  await using it = await openWith((saga) =>
    saga
      .local('one', noting('one'))
      .local('never', { ...noting('never'), when: ({ done }) => done.one !== 'one' })
      .local('two', { run: async ({ done }) => void given.push(done) }),
  )
  await it.app.call.jobs.run({ job: 'a' })
  await it.app.settled()
  expect(given).toEqual([{ one: 'one' }])
  expect(await transactions(it)).toEqual([['one', 'completed {"one":"one"}']])
})

test('are each done once where one of them fails at first', async () => {
  await using it = await openWith((saga) =>
    saga
      .local('one', noting('one'))
      .local('two', noting('two', { left: 2 }))
      .local('three', noting('three')),
  )
  await it.app.call.jobs.run({ job: 'a' })
  await it.app.settled()
  expect(await transactions(it)).toEqual([['one'], ['two', 'three', 'completed {"one":"one","two":"two","three":"three"}']])
})

test('are undone where one of them always fails', async () => {
  await using it = await openWith((saga) => saga.local('one', noting('one')).local('two', noting('two', { left: 9 })))
  await it.app.call.jobs.run({ job: 'a' })
  await it.app.settled()
  expect(await transactions(it)).toEqual([['one'], ['undo one'], ['compensated: exhausted two exhausted']])
})

test('are not done once the saga is cancelled', async () => {
  let arrived = (): void => {}
  let go = (): void => {}
  const [reached, mayGo] = [new Promise<void>((resolve) => (arrived = resolve)), new Promise<void>((resolve) => (go = resolve))]
  await using it = await openWith((saga) =>
    saga
      .step('asked', {
        run: async () => {
          arrived()
          await mayGo
        },
      })
      .local('one', noting('one'))
      .local('two', noting('two')),
  )
  await it.app.call.jobs.run({ job: 'a' })
  await reached
  expect(await it.app.call.jobs.stop({ job: 'a' })).toEqual({ answer: 'cancelling' })
  go()
  await it.app.settled()
  expect(await transactions(it)).toEqual([['compensated: cancelled  cancelled']])
})

/** The same, and cancels its own saga then. */
function cancelling(text: string, self: () => Saga) {
  const noted = noting(text)
  const run = async (context: Parameters<typeof noted.run>[0]): Promise<void> => {
    await noted.run(context)
    await context.cancel(self(), { id: context.saga.id }, 'mine')
  }
  return { ...noted, run }
}

test.each([
  [
    'do not go on once one of them has cancelled the saga',
    (saga: Begun, self: () => Saga) => saga.local('one', cancelling('one', self)).local('two', noting('two')),
  ],
  [
    'leave nothing of the last one when that has cancelled the saga',
    (saga: Begun, self: () => Saga) => saga.local('one', noting('one')).local('last', cancelling('last', self)),
  ],
])('%s', async (_, declare) => {
  await using it = await openWith(declare)
  await it.app.call.jobs.run({ job: 'a' })
  await it.app.settled()
  expect(await transactions(it)).toEqual([['one'], ['undo one'], ['compensated: cancelled  mine']])
})

test('are blamed each for its own mistake, also when it shows only at COMMIT', async () => {
  await using it = await openWith((saga) =>
    saga.local('one', noting('one')).local('two', {
      // PostgreSQL refuses all the rest of the transaction.
      run: async ({ db }) =>
        void (await db
          .insertInto('nowhere' as 'ends')
          .values({ job: 'a', text: '' })
          .execute()
          .catch(() => undefined)),
      retry: { attempts: 2 },
    }),
  )
  await it.app.call.jobs.run({ job: 'a' })
  await it.app.settled()
  expect(await transactions(it)).toEqual([['one'], ['undo one'], ['compensated: exhausted two exhausted']])
})
