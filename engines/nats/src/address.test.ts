import { expect, test } from 'vitest'
import { natsAddress } from './address.ts'

test('a url says where, who and what for', () => {
  expect(natsAddress('nats://ann:p%40ss@mq:4333/?prefix=staging&replicas=3')).toEqual({
    secure: false,
    hostname: 'mq',
    port: 4333,
    username: 'ann',
    password: 'p@ss',
    token: undefined,
    prefix: 'staging',
    replicas: 3,
  })
  expect(natsAddress('tls://mq')).toMatchObject({ secure: true, port: 4222, username: undefined, password: undefined, token: undefined })
  expect(natsAddress('nats://s3cret@[::1]')).toMatchObject({ hostname: '[::1]', username: undefined, token: 's3cret' })
})

test.each([
  ['no url at all', /this is not a url/],
  ['amqp://ann:s3cret@mq', /starts with amqp: does not name a NATS/],
  ['nats://ann:s3%cret@mq', /the password in the url is not percent-encoded correctly/],
  ['nats://ann:s3cret@mq?prefix=a.b', /the prefix in the url/],
  ['nats://ann:s3cret@mq?replicas=many', /replicas in the url/],
])('%s is refused without showing the password', (url, reason) => {
  expect(() => natsAddress(url)).toThrow(reason)
  expect(() => natsAddress(url)).not.toThrow(/s3/)
})
