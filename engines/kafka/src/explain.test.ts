import { AuthenticationError, MultipleErrors, NetworkError, ProtocolError, TimeoutError } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { kafkaAddress } from './address.ts'
import { explain, isLoss, isProtocolError, messageOf } from './explain.ts'

const address = kafkaAddress('kafka://ann:s3cret@mq:9094?sasl=plain')

test.each([
  ['nobody there', network('ECONNREFUSED'), address, 'nothing listens at mq:9094 (ECONNREFUSED)'],
  ['no such host', network('ENOTFOUND'), address, 'the name mq cannot be resolved (ENOTFOUND)'],
  ['no TLS there', network('ERR_SSL_WRONG_VERSION_NUMBER'), address, 'mq:9094 does not speak TLS'],
  [
    'a wrong password',
    new AuthenticationError('SASL authentication failed.'),
    address,
    'user "ann" was refused: check the name, the password and ?sasl=',
  ],
  ['no name', new AuthenticationError('SASL needed.'), kafkaAddress('kafka://mq'), 'it wants to know who we are'],
  ['anything else', new MultipleErrors('metadata failed 3 times.', [new Error('no controller')]), address, 'no controller'],
])('%s, however deep it lies, is told in words', (_, error, where, words) => {
  expect(explain(error, where)).toContain(words)
  expect(explain(new MultipleErrors('failed 2 times.', [error, error]), where)).toContain(words)
  expect(explain(error, where)).not.toContain('s3cret')
})

test('what may have arrived is told from what was refused', () => {
  expect([network('ECONNRESET'), new TimeoutError('Request timed out'), new ProtocolError('MESSAGE_TOO_LARGE')].map(isLoss)).toEqual([
    true,
    true,
    false,
  ])
})

test('an answer of Kafka is known by its name', () => {
  const error = new MultipleErrors('Producing messages failed.', [new ProtocolError('MESSAGE_TOO_LARGE')])
  expect(isProtocolError(error, 'RECORD_LIST_TOO_LARGE', 'MESSAGE_TOO_LARGE')).toBe(true)
  expect(isProtocolError(error, 'UNKNOWN_TOPIC_OR_PARTITION')).toBe(false)
  expect(isProtocolError('no error', 'MESSAGE_TOO_LARGE')).toBe(false)
  expect(messageOf('no error')).toBe('no error')
})

function network(code: string): Error {
  return new MultipleErrors('Cannot connect to any broker.', [
    new NetworkError('Connection to mq:9094 failed.', { cause: Object.assign(new Error(code), { code }) }),
  ])
}
