/** What steps can be besides calls in a row: side by side, behind a pivot, aborting, or giving what cannot be kept. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { contract, event, get, post, problem } from '../contract/index.ts'
import { service, tables } from '../service/index.ts'
import { fake, testSystem } from '../testing/index.ts'
import type { SagaFailure } from './definition.ts'

const peers = contract('peers', {
  version: '1.0.0',
  operations: {
    ask: post('/asks', {
      input: z.object({ what: z.string() }),
      output: z.object({ heard: z.string() }),
      errors: { no: problem(409, 'No') },
      idempotent: true,
    }),
  },
  events: { heard: event(z.object({ what: z.string() }), { key: 'what' }) },
})
const jobs = contract('jobs', {
  version: '1.0.0',
  operations: {
    run: post('/runs', { input: z.object({ job: z.string() }) }),
    stop: post('/stops', { input: z.object({ job: z.string() }), output: z.object({ answer: z.string() }) }),
    ends: get('/ends', { output: z.array(z.string()) }),
  },
})
const jobService = service(jobs, {
  uses: { peers },
  migrations: new URL('./fixtures/jobs/', import.meta.url),
  tables: tables<{ ends: { job: string; text: string } }>(),
})
const input = z.object({ job: z.string() })
type Begun = ReturnType<typeof jobService.saga<typeof input>>
type Declare = (saga: Begun) => Begun

/** A system with one saga of these steps, and a peer that says no to what is in `refuses` and fails while `fails` says so. */
async function openWith(declare: (saga: Begun) => object, refuses: readonly string[] = [], fails: (what: string) => boolean = () => false) {
  const declared = declare(jobService.saga('job', { input, deadline: '1h' })) as Begun
  const saga = declared.finally({
    completed: async ({ input: { job }, done, db }) =>
      db
        .insertInto('ends')
        .values({ job, text: `completed ${JSON.stringify(done)}` })
        .execute(),
    compensated: async ({ input: { job }, failure, db }) =>
      db
        .insertInto('ends')
        .values({ job, text: `compensated: ${describe_(failure)}` })
        .execute(),
  })
  const asked: string[] = []
  const app = await testSystem({
    services: [
      jobService.implement(
        {
          run: ({ input: { job }, transaction }) => transaction(async ({ start }) => void start(saga, { job }, { key: job })),
          stop: ({ input: { job }, transaction }) => transaction(async ({ cancel }) => ({ answer: await cancel(saga, { key: job }) })),
          ends: async ({ db }) => (await db.selectFrom('ends').select('text').execute()).map(({ text }) => text),
        },
        { sagas: [saga] },
      ),
    ],
    fakes: [
      fake(peers, {
        ask: async ({ what }, { fail }) => {
          asked.push(what)
          if (refuses.includes(what)) throw fail.no()
          if (fails(what)) throw new Error('down')
          return { heard: what }
        },
      }),
    ],
  })
  const parked = async (): Promise<string | undefined> =>
    (
      await app.host.instances
        .get('jobs')!
        .database!.query<{ because: string }>(`select parked_because as because from skerry_saga where status = 'parked'`)
    ).rows[0]?.because
  return { app, asked, parked, [Symbol.asyncDispose]: () => app[Symbol.asyncDispose]() }
}
const describe_ = ({ reason, step, code }: SagaFailure): string => [reason, step, code].join(' ')
const asking = (what: string) => ({
  run: ({ call }: { call: { peers: { ask(input: { what: string }): Promise<{ heard: string }> } } }) => call.peers.ask({ what }),
  undo: ({ call }: { call: { peers: { ask(input: { what: string }): Promise<{ heard: string }> } } }) =>
    call.peers.ask({ what: `undo ${what}` }),
  retry: { attempts: 2 },
})

describe('steps side by side', () => {
  const both: Declare = (saga) => saga.step('first', asking('first')).parallel({ left: asking('left'), right: asking('right') }) as never

  test('are all done before the saga goes on', async () => {
    await using it = await openWith((saga) => both(saga).step('last', asking('last')))
    await it.app.call.jobs.run({ job: 'a' })
    await it.app.settled()
    expect(it.asked.toSorted()).toEqual(['first', 'last', 'left', 'right'])
    expect(it.asked.at(-1)).toBe('last')
    expect(await it.app.call.jobs.ends()).toEqual([expect.stringContaining('"right":{"heard":"right"}')])
  })

  test('end first when one of them is refused, and are undone with what was before them', async () => {
    await using it = await openWith(both, ['left'])
    await it.app.call.jobs.run({ job: 'a' })
    await it.app.settled()
    expect(it.asked.slice(-2)).toEqual(['undo right', 'undo first'])
    expect(it.asked).not.toContain('undo left')
    expect(await it.app.call.jobs.ends()).toEqual(['compensated: refused left no'])
  })
})

describe('behind the pivot', () => {
  const pivot = (saga: Begun) =>
    saga
      .step('first', asking('first'))
      .step('capture', { ...asking('capture'), pivot: true })
      .step('ship', asking('ship'))

  test('a step is tried until it is done', async () => {
    let left = 6
    await using it = await openWith(pivot, [], (what) => what === 'ship' && left-- > 0)
    await it.app.call.jobs.run({ job: 'a' })
    await it.app.settled()
    expect(await it.app.call.jobs.ends()).toEqual([expect.stringContaining('completed')])
    expect(it.asked.filter((what) => what.startsWith('undo'))).toEqual([])
  })

  test('what is refused waits for a person: nothing is undone', async () => {
    await using it = await openWith(pivot, ['ship'])
    await it.app.call.jobs.run({ job: 'a' })
    await it.app.settled()
    expect(await it.parked()).toContain('The step "ship" behind the pivot was refused')
    expect(it.asked).toEqual(['first', 'capture', 'ship'])
  })

  test('it is too late to cancel', async () => {
    let healthy = false
    await using it = await openWith(pivot, [], (what) => what === 'ship' && !healthy)
    await it.app.call.jobs.run({ job: 'a' })
    await expect.poll(() => it.asked).toContain('ship')
    expect(await it.app.call.jobs.stop({ job: 'a' })).toEqual({ answer: 'tooLate' })
    healthy = true
    await it.app.settled()
    expect(await it.app.call.jobs.ends()).toEqual([expect.stringContaining('completed')])
  })

  test('a pivot that is refused is undone like any other step', async () => {
    await using it = await openWith(pivot, ['capture'])
    await it.app.call.jobs.run({ job: 'a' })
    await it.app.settled()
    expect(it.asked).toEqual(['first', 'capture', 'undo first'])
    expect(await it.app.call.jobs.ends()).toEqual(['compensated: refused capture no'])
  })
})

test('a wait whose condition throws undoes the saga', async () => {
  await using it = await openWith((saga) =>
    saga.step('first', asking('first')).waitFor('heard', peers.events.heard, {
      key: () => 'a',
      where: () => {
        throw new TypeError('a mistake')
      },
      timeout: '10m',
    }),
  )
  await it.app.call.jobs.run({ job: 'a' })
  await it.app.publish(peers.events.heard, { what: 'a' })
  await it.app.settled()
  expect(await it.app.call.jobs.ends()).toEqual(['compensated: broken heard broken'])
})

test('what is cancelled during its last step is undone', async () => {
  let letLast: (() => void) | undefined
  await using it = await openWith((saga) =>
    saga.step('first', asking('first')).step('last', { ...asking('last'), run: () => new Promise<void>((resolve) => (letLast = resolve)) }),
  )
  await it.app.call.jobs.run({ job: 'a' })
  await expect.poll(() => letLast).toBeDefined()
  expect(await it.app.call.jobs.stop({ job: 'a' })).toEqual({ answer: 'cancelling' })
  letLast!()
  await it.app.settled()
  expect(await it.app.call.jobs.ends()).toEqual(['compensated: cancelled  cancelled'])
  expect(it.asked).toEqual(['first', 'undo last', 'undo first'])
})

describe('a step that', () => {
  const local = (run: () => Promise<unknown>) => (saga: Begun) =>
    saga.step('first', asking('first')).local('second', { run, retry: { attempts: 2 } })

  test('aborts undoes the saga with its code', async () => {
    await using it = await openWith((saga) =>
      saga.step('first', asking('first')).step('second', {
        run: async ({ abort }) => {
          throw abort('priceChanged', { was: 1 })
        },
      }),
    )
    await it.app.call.jobs.run({ job: 'a' })
    await it.app.settled()
    expect(await it.app.call.jobs.ends()).toEqual(['compensated: aborted second priceChanged'])
    expect(it.asked).toEqual(['first', 'undo first'])
  })

  test.each([
    ['a bigint', async () => 1n],
    ['a function', async () => () => {}],
    [
      'a circle',
      async () =>
        Object.assign(
          {},
          { self: null },
          {
            get self() {
              return this
            },
          },
        ),
    ],
    ['two megabytes', async () => 'x'.repeat(2_000_000)],
  ])('gives %s, which cannot be kept, undoes the saga', async (_, run) => {
    await using it = await openWith(local(run))
    await it.app.call.jobs.run({ job: 'a' })
    await it.app.settled()
    expect(await it.app.call.jobs.ends()).toEqual(['compensated: broken second broken'])
    expect(it.asked).toEqual(['first', 'undo first'])
  })

  test('always throws undoes the saga after its last attempt', async () => {
    let attempts = 0
    await using it = await openWith(
      local(async () => {
        attempts++
        throw new Error('a mistake')
      }),
    )
    await it.app.call.jobs.run({ job: 'a' })
    await it.app.settled()
    expect(attempts).toBe(2)
    expect(await it.app.call.jobs.ends()).toEqual(['compensated: exhausted second exhausted'])
  })

  test('is not done before the deadline of the saga undoes it', async () => {
    await using it = await openWith(
      (saga) => saga.step('first', asking('first')).step('second', { ...asking('second'), retry: { attempts: 1_000 } }),
      [],
      (what) => what === 'second',
    )
    await it.app.call.jobs.run({ job: 'a' })
    await it.app.settled()
    expect(await it.app.call.jobs.ends()).toEqual(['compensated: deadlineExceeded  deadlineExceeded'])
    expect(it.asked.slice(-2)).toEqual(['undo second', 'undo first'])
  })
})

test.each([
  ['no version', () => jobService.saga('job', { input, version: 0 }), /version 0 is not a whole number/],
  ['a name with a space', () => jobService.saga('a job', { input }), /named like a function/],
  [
    'two steps of one name',
    () => jobService.saga('job', { input }).step('one', asking('x')).step('one', asking('x')),
    /two steps are named "one"/,
  ],
  [
    'two pivots',
    () =>
      jobService
        .saga('job', { input })
        .step('one', { ...asking('x'), pivot: true })
        .step('two', { ...asking('x'), pivot: true }),
    /one and two are both the pivot/,
  ],
])('a saga with %s is refused', (_, declare, message) => {
  expect(declare).toThrow(expect.objectContaining({ code: 'systemInvalid', message: expect.stringMatching(message) as string }) as Error)
})
