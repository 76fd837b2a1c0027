import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeyedQueue } from './keyed-queue.ts'

describe('KeyedQueue', () => {
  it('runs the work of one key in the order it came, never two at once, and that of different keys side by side', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c'), fails: fc.boolean() }), { maxLength: 20 }),
        async (scheduler, jobs) => {
          const queue = new KeyedQueue()
          const running = new Map<string, number>()
          const ended: { key: string; job: number }[] = []
          const results = jobs.map(({ key, fails }, job) =>
            queue.run(key, async () => {
              expect(running.get(key) ?? 0).toBe(0)
              running.set(key, 1)
              await scheduler.schedule(Promise.resolve(), `job ${job}`)
              running.set(key, 0)
              ended.push({ key, job })
              if (fails) throw new Error(`job ${job} failed`)
              return job
            }),
          )
          const settled = Promise.allSettled(results)
          // All keys are at work at once: otherwise the scheduler could not choose among them.
          expect(scheduler.count()).toBe(new Set(jobs.map(({ key }) => key)).size)
          for (const [job, result] of (await scheduler.waitFor(settled)).entries()) {
            if (jobs[job]!.fails) expect(result).toMatchObject({ status: 'rejected', reason: { message: `job ${job} failed` } })
            else expect(result).toEqual({ status: 'fulfilled', value: job })
          }
          for (const key of ['a', 'b', 'c']) {
            const order = ended.filter((end) => end.key === key).map(({ job }) => job)
            expect(order).toEqual(order.toSorted((x, y) => x - y))
          }
          expect(queue.size).toBe(0)
        },
      ),
    )
  })

  it('counts the keys that are at work', async () => {
    const queue = new KeyedQueue()
    const { promise, resolve } = Promise.withResolvers<void>()
    const work = [queue.run('a', () => promise), queue.run('a', () => promise), queue.run('b', () => promise)]
    expect(queue.size).toBe(2)
    resolve()
    await Promise.all(work)
    expect(queue.size).toBe(0)
  })

  it('rejects, and goes on, when the work throws at once', async () => {
    const queue = new KeyedQueue()
    const thrown = queue.run('a', () => {
      throw new Error('at once')
    })
    const after = queue.run('a', async () => 'after')
    await expect(thrown).rejects.toThrow('at once')
    await expect(after).resolves.toBe('after')
  })
})
