import { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import { WireConnection } from './connection.ts'
import { ANSWER_HEAD_BYTES, HEAD_BYTES } from './frame.ts'

test('what has been sent stays as it is until the other side has taken it, whatever is sent meanwhile', () => {
  const taken: Buffer[] = []
  const done: (() => void)[] = []
  const socket = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, callback) {
      taken.push(chunk)
      done.push(callback)
    },
  })
  const connection = new WireConnection(socket, new VirtualClock(), 100, { take: () => {}, drained: () => {}, closed: () => {} })
  for (const body of ['first', 'other', 'third']) {
    connection.out.answer(1, 200, undefined, body)
    connection.flush()
  }
  done.shift()!()
  done.shift()!()
  expect(taken.map((bytes) => bytes.toString('utf8', HEAD_BYTES + ANSWER_HEAD_BYTES))).toEqual(['first', 'other', 'third'])
})
