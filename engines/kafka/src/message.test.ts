import type { KafkaRecord, MessageToProduce } from '@platformatic/kafka'
import type { Message } from 'skerry/engine'
import { expect, test } from 'vitest'
import { readRecord, recordOf } from './message.ts'

const place = { topic: 'skerry.orders', partition: 3, offset: 42n }
const message: Message = { id: '1', topic: 'orders', type: 'orders.placed', key: 'Ægir 🐟\u0000', body: '{"ä":1}' }

test('a message is a record of the key, with the event as its value, and comes back as it was', () => {
  const record = recordOf('skerry', message)
  expect([record.topic, record.key?.toString(), record.value?.toString()]).toEqual(['skerry.orders', message.key, message.body])
  expect(headersOf(record)).toEqual([
    ['content-type', 'application/cloudevents+json; charset=utf-8'],
    ['skerry-id', '1'],
    ['skerry-type', 'orders.placed'],
  ])
  expect(readRecord('skerry', received(record), place)).toEqual({ message, redelivered: false })
})

test('what its publisher may have published before says so', () => {
  const record = recordOf('skerry', { ...message, redelivered: true })
  expect(readRecord('skerry', received(record), place)).toEqual({ message, redelivered: true })
})

test('what is no event arrives all the same, with an id that stays', () => {
  const stranger = { key: null, value: Buffer.from([0x7b, 0xff, 0x00]), headers: [[null, null]] satisfies [null, null][] }
  const read = { id: 'kafka:skerry.orders/3/42', topic: 'orders', type: '', key: '', body: '{\ufffd\u0000' }
  expect(readRecord('skerry', stranger, place)).toEqual({ message: read, redelivered: false })
  expect(readRecord('skerry', { key: null, value: null, headers: [] }, place).message.body).toBe('')
})

function headersOf({ headers }: MessageToProduce): string[][] {
  return headers instanceof Map ? [...headers].map((pair) => pair.map((each) => each.toString())) : []
}

/** As Kafka gives it back. */
function received(record: MessageToProduce): Pick<KafkaRecord, 'key' | 'value' | 'headers'> {
  return { key: record.key ?? null, value: record.value ?? null, headers: record.headers instanceof Map ? [...record.headers] : [] }
}
