import { expect, test } from 'vitest'
import type { Batch } from './partition.ts'
import { Partition } from './partition.ts'

const CONTROL = 0b10_0000

test('a batch that begins before what was asked for gives what was asked for', () => {
  const partition = new Partition('skerry.orders', 0, { committed: 6n, earliest: 0n, end: 9n })
  partition.read([batch(5n, ['a', 'b', 'c'])])
  expect(waiting(partition)).toEqual(['6 b', '7 c'])
  expect(partition.readFrom).toBe(8n)
})

test('markers of transactions are no messages, and are not read again', () => {
  const partition = new Partition('skerry.orders', 0, { committed: 0n, earliest: 0n, end: 9n })
  partition.read([batch(0n, ['a']), batch(1n, ['commit'], CONTROL), batch(2n, ['b'])])
  expect(waiting(partition)).toEqual(['0 a', '2 b'])
  partition.read([batch(3n, ['commit'], CONTROL)])
  expect(partition.readFrom).toBe(4n)
})

test('an answer that comes twice, or late, changes nothing', () => {
  const partition = new Partition('skerry.orders', 0, { committed: 0n, earliest: 0n, end: 9n })
  partition.read([batch(0n, ['a', 'b'])])
  partition.read([batch(0n, ['a', 'b'])])
  expect(waiting(partition)).toEqual(['0 a', '1 b'])
  expect(partition.readFrom).toBe(2n)
})

test('what is lost has nothing to deliver', () => {
  const partition = new Partition('skerry.orders', 0, { committed: 0n, earliest: 0n, end: 9n })
  partition.read([batch(0n, ['a'])])
  partition.lose()
  expect(partition).toMatchObject({ lost: true, waiting: [] })
})

function batch(firstOffset: bigint, values: readonly string[], attributes = 0): Batch {
  const records = values.map((value, offsetDelta) => ({
    length: 0,
    attributes: 0,
    timestampDelta: 0n,
    offsetDelta,
    key: null,
    value: Buffer.from(value),
    headers: [],
  }))
  return { firstOffset, lastOffsetDelta: values.length - 1, attributes, records }
}

function waiting(partition: Partition): string[] {
  return partition.waiting.map(({ offset, record }) => `${offset} ${String(record.value)}`)
}
