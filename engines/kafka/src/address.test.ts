import { expect, test } from 'vitest'
import { kafkaAddress } from './address.ts'

test('a url says where, who and what for', () => {
  expect(kafkaAddress('kafkas://ann:p%40ss@mq:9093/?prefix=staging&partitions=24&replicas=3&sasl=scram-sha-512')).toEqual({
    secure: true,
    hostname: 'mq',
    port: 9093,
    username: 'ann',
    password: 'p@ss',
    mechanism: 'SCRAM-SHA-512',
    prefix: 'staging',
    partitions: 24,
    replicas: 3,
  })
  expect(kafkaAddress('kafka://[::1]')).toEqual({
    secure: false,
    hostname: '::1',
    port: 9092,
    username: undefined,
    password: undefined,
    mechanism: 'SCRAM-SHA-256',
    prefix: undefined,
    partitions: undefined,
    replicas: undefined,
  })
})

test.each([
  ['no url at all', /this is not a url/],
  ['amqp://ann:s3cret@mq', /starts with amqp: does not name a Kafka/],
  ['kafka://ann:s3%cret@mq', /the password in the url is not percent-encoded correctly/],
  ['kafka://:s3cret@mq', /only one of name and password/],
  ['kafka://ann:s3cret@mq?prefix=a.b', /prefix in the url/],
  ['kafka://ann:s3cret@mq?replicas=many', /replicas in the url/],
  ['kafka://ann:s3cret@mq?partitions=0', /partitions in the url/],
  ['kafka://ann:s3cret@mq?sasl=gssapi', /sasl in the url is one of plain, scram-sha-256, scram-sha-512/],
])('%s is refused without showing the password', (url, reason) => {
  expect(() => kafkaAddress(url)).toThrow(reason)
  expect(() => kafkaAddress(url)).not.toThrow(/s3/)
})
