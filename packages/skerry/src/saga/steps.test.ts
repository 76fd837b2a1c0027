/** What steps can be besides calls in a row: side by side, behind a pivot, aborting, or giving what cannot be kept. */
import { describe, expect, test } from 'vitest'
import type { Begun, Declare } from './fixtures/job.ts'
import { asking, input, jobService, openWith, peers } from './fixtures/job.ts'

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
  [
    'a pivot beside other steps',
    // As JavaScript, or a cast, lets it through.
    () => jobService.saga('job', { input }).parallel({ one: asking('x'), two: { ...asking('x'), pivot: true as unknown as false } }),
    /the pivot "two" stands in parallel\(…\): .* give it a step\(…\) of its own/,
  ],
])('a saga with %s is refused', (_, declare, message) => {
  expect(declare).toThrow(expect.objectContaining({ code: 'systemInvalid', message: expect.stringMatching(message) as string }) as Error)
})
