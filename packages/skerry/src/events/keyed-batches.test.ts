import { describe, expect, it } from 'vitest'
import { KeyedBatches } from './keyed-batches.ts'
import { KeyedQueue } from './keyed-queue.ts'

/** Batches of at most four, each done when `release` is called; `refused` are left to be done alone. */
function scene({ refused = [] as readonly string[] } = {}) {
  const queue = new KeyedQueue()
  const begun: string[] = []
  const alone: string[] = []
  const releases: (() => void)[] = []
  const batches = new KeyedBatches<string>({
    queue,
    maxItems: () => 4,
    async together(groups) {
      begun.push(groups.map((group) => group.join('+')).join(' '))
      await new Promise<void>((resolve) => releases.push(resolve))
      return new Set(groups.filter((group) => !group.some((item) => refused.includes(item))))
    },
    async alone(item) {
      alone.push(item)
      if (item === 'bad') throw new Error('bad')
    },
  })
  return { queue, batches, begun, alone, release: () => releases.shift()?.() }
}

/** Lets everything run that waits for nothing but promises. */
const turns = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('KeyedBatches', () => {
  it('begins with the first, and gathers meanwhile what comes, up to the bound', async () => {
    const { batches, begun, release } = scene()
    const done = ['a', 'b', 'c', 'd', 'e', 'f'].map((key) => batches.run(key, `${key}1`))
    expect(begun).toEqual(['a1'])
    release()
    await turns()
    expect(begun).toEqual(['a1', 'b1 c1 d1 e1'])
    release()
    await turns()
    expect(begun).toEqual(['a1', 'b1 c1 d1 e1', 'f1'])
    release()
    await Promise.all(done)
  })

  it('takes several of one key in their order, and never has a key in two batches', async () => {
    const { batches, begun, release } = scene()
    const done = ['a1', 'b1', 'a2', 'b2', 'a3'].map((item) => batches.run(item[0]!, item))
    release()
    await turns()
    expect(begun).toEqual(['a1', 'b1+b2'])
    release()
    await turns()
    expect(begun).toEqual(['a1', 'b1+b2', 'a2+a3'])
    release()
    await Promise.all(done)
  })

  it('waits for other work of the key, and others do not', async () => {
    const { queue, batches, begun, release } = scene()
    let end = (): void => {}
    const other = queue.run('a', () => new Promise<void>((resolve) => (end = resolve)))
    const a = batches.run('a', 'a1')
    const b = batches.run('b', 'b1')
    expect(begun).toEqual(['b1'])
    release()
    await b
    end()
    await other
    await turns()
    expect(begun).toEqual(['b1', 'a1'])
    release()
    await a
  })

  it('does alone, one after the other, what the batch has left', async () => {
    const { batches, alone, release } = scene({ refused: ['bad'] })
    const first = batches.run('x', 'x1')
    const rest = Promise.allSettled([batches.run('a', 'a1'), batches.run('a', 'bad'), batches.run('a', 'a3'), batches.run('b', 'b1')])
    release()
    await first
    await turns()
    release()
    expect((await rest).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
    expect(alone).toEqual(['a1', 'bad', 'a3'])
  })
})
