import { expect, test } from 'vitest'
import { Semaphore } from './semaphore.ts'

test('no more than its permits are in progress, in their order, also when some of them fail', async () => {
  const semaphore = new Semaphore(2)
  const ends: (() => void)[] = []
  const begun: number[] = []
  const all = [0, 1, 2, 3, 4].map((number) =>
    semaphore.run(async () => {
      begun.push(number)
      await new Promise<void>((resolve) => (ends[number] = resolve))
      if (number === 1) throw new Error('one')
    }),
  )
  const outcomes = Promise.allSettled(all)
  await expect.poll(() => begun).toEqual([0, 1])
  ends[1]!()
  await expect.poll(() => begun).toEqual([0, 1, 2])
  ends[0]!()
  ends[2]!()
  await expect.poll(() => begun).toEqual([0, 1, 2, 3, 4])
  ends[3]!()
  ends[4]!()
  expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled'])
})
