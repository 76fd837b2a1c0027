import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_AHEAD, PartitionOffsets } from './offsets.ts'

describe('reading begins', () => {
  test.each([
    ['at what is committed', { committed: 7n, earliest: 3n, end: 10n }, 7n, 0n],
    ['at the end, when all is committed', { committed: 10n, earliest: 3n, end: 10n }, 10n, 0n],
    ['at the first message there is, when nothing is committed', { committed: undefined, earliest: 3n, end: 10n }, 3n, 0n],
    ['there too when Kafka says so with a number', { committed: -1n, earliest: 3n, end: 10n }, 3n, 0n],
    ['there too when some were deleted unhandled, and tells how many', { committed: 1n, earliest: 3n, end: 10n }, 3n, 2n],
    ['there too when the log was made anew and is shorter', { committed: 99n, earliest: 0n, end: 10n }, 0n, 0n],
  ])('%s', (_, takeover, start, lost) => {
    expect(new PartitionOffsets(takeover)).toMatchObject({ start, lost })
  })
})

describe('a commit', () => {
  test('says only what is settled without a gap', () => {
    const offsets = new PartitionOffsets({ committed: 5n, earliest: 0n, end: 5n })
    expect(offsets.commit()).toBeUndefined()
    for (const offset of [5n, 6n, 7n]) offsets.deliver(offset)
    offsets.settle(6n)
    expect(offsets.commit()).toBeUndefined()
    offsets.settle(5n)
    expect(offsets.commit()).toBe(7n)
    expect(offsets.commit()).toBeUndefined()
    offsets.settle(7n)
    expect(offsets.commit()).toBe(8n)
  })

  test('that failed is made again', () => {
    const offsets = new PartitionOffsets({ committed: 5n, earliest: 0n, end: 5n })
    offsets.deliver(5n)
    offsets.settle(5n)
    expect(offsets.commit()).toBe(6n)
    offsets.notCommitted()
    expect(offsets.commit()).toBe(6n)
    offsets.committed(6n)
    offsets.notCommitted()
    expect(offsets.commit()).toBeUndefined()
  })

  test('passes over offsets that hold no message', () => {
    const offsets = new PartitionOffsets({ committed: 5n, earliest: 0n, end: 5n })
    offsets.deliver(8n)
    expect(offsets.commit()).toBe(8n)
    offsets.settle(8n)
    expect(offsets.commit()).toBe(9n)
  })

  test('never says what is not settled, and in the end all of it, whatever the order', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(60)), fc.infiniteStream(fc.nat()), (numbers, choices) => {
        const log = numbers.toSorted((a, b) => a - b).map(BigInt)
        const offsets = new PartitionOffsets({ committed: 0n, earliest: 0n, end: 0n })
        const [waiting, inHand] = [[...log], [] as bigint[]]
        let last = 0n
        while (waiting.length + inHand.length > 0) {
          const choice = choices.next().value
          if (waiting.length > 0 && (choice % 2 === 0 || inHand.length === 0)) {
            offsets.deliver(waiting[0]!)
            inHand.push(waiting.shift()!)
          } else offsets.settle(inHand.splice(choice % inHand.length, 1)[0]!)
          const commit = offsets.commit() ?? last
          expect(commit).toBeGreaterThanOrEqual(last)
          expect([...waiting, ...inHand].every((unsettled) => unsettled >= commit)).toBe(true)
          last = commit
        }
        expect(last).toBe(log.length === 0 ? 0n : log.at(-1)! + 1n)
      }),
    )
  })
})

test('a message is delivered once while the partition is ours', () => {
  const offsets = new PartitionOffsets({ committed: 5n, earliest: 0n, end: 9n })
  offsets.deliver(5n)
  expect(() => offsets.deliver(5n)).toThrow(RangeError)
})

test('whoever had the partition before may have delivered what was there then, as far as he could be ahead', () => {
  const offsets = new PartitionOffsets({ committed: 5n, earliest: 0n, end: 7n })
  expect([5n, 6n, 7n, 8n].map((offset) => offsets.deliver(offset))).toEqual([true, true, false, false])
  const long = new PartitionOffsets({ committed: 5n, earliest: 0n, end: 1_000_000n })
  expect([4n + MAX_AHEAD, 5n + MAX_AHEAD].map((offset) => long.deliver(offset))).toEqual([true, false])
})

test('deliveries do not run further ahead of what is committed than the next owner reckons with', () => {
  const offsets = new PartitionOffsets({ committed: 5n, earliest: 0n, end: 5n })
  expect([4n + MAX_AHEAD, 5n + MAX_AHEAD].map((offset) => offsets.mayDeliver(offset))).toEqual([true, false])
  offsets.deliver(5n)
  offsets.settle(5n)
  offsets.commit()
  expect(offsets.mayDeliver(5n + MAX_AHEAD)).toBe(false)
  offsets.committed(6n)
  expect(offsets.mayDeliver(5n + MAX_AHEAD)).toBe(true)
})
