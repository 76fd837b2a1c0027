import { describe, expect, test } from 'vitest'
import { rabbitmqAddress } from './address.ts'

test.each([
  ['amqp://mq', { protocol: 'amqp', hostname: 'mq', port: 5672, username: 'guest', password: 'guest', vhost: '/' }],
  ['amqp://mq/', { vhost: '/' }],
  ['amqps://mq', { protocol: 'amqps', port: 5671 }],
  ['amqp://mq:47000/shop', { port: 47000, vhost: 'shop' }],
  ['amqp://us%40r:p%2F%3A%40%25@mq/%2Fshop%2Feu', { username: 'us@r', password: 'p/:@%', vhost: '/shop/eu' }],
  ['amqp://user@mq', { username: 'user', password: '' }],
  ['amqp://mq/shop?prefix=staging', { vhost: 'shop', prefix: 'staging' }],
  ['amqp://[::1]:5673', { hostname: '::1', port: 5673 }],
])('%s', (url, expected) => {
  expect(rabbitmqAddress(url)).toMatchObject(expected)
})

describe('is refused with what is expected, and without the password', () => {
  test.each([
    ['mq:secret@host', /starts with mq:/],
    ['', /not a url/],
    ['http://user:secret@mq', /starts with http:/],
    ['amqp://user:secret@', /not a url|RabbitMQ/],
    ['amqp://user:secret@mq/?prefix=a%20b', /prefix in the url/],
    ['amqp://user:sec%ret%@mq', /password in the url is not percent-encoded/],
  ])('%s', (url, reason) => {
    let refusal = ''
    try {
      rabbitmqAddress(url)
    } catch (error) {
      refusal = String(error)
    }
    expect(refusal).toMatch(/^TypeError/)
    expect(refusal).toMatch(reason)
    expect(refusal).not.toMatch(/secret|sec%/)
  })
})
