import type { AddressInfo } from 'node:net'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { notificationService } from '@ecommerce/notification-service-contract'
import { orderService } from '@ecommerce/order-service-contract'
import { userService } from '@ecommerce/user-service-contract'
import { createLog } from 'skerry/runtime'
import { fake, testSystem } from 'skerry/testing'
import { SMTPServer } from 'smtp-server'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import service from './service.ts'

const order = { id: 7, user_id: 1, product: 'kettle', amount: 20 }
const ann = { id: 1, name: 'Ann', email: 'ann@example.com' }
const fakes = [fake(userService, { getUser: async () => ann }), fake(orderService, {})]

describe('a placed order', () => {
  test('leads to one notification, which is sent', async () => {
    await using app = await testSystem({ services: [service], fakes })
    await app.publish(orderService.events.orderPlaced, order)
    await app.settled()
    const notifications = await app.call.notificationService.listNotifications({ order_id: 7 })
    expect(notifications).toMatchObject([
      { order_id: 7, user_id: 1, message: 'Your order 7 has been placed: kettle, 20.00.', status: 'sent' },
    ])
    expect(app.published(notificationService.events.notificationCreated)).toEqual([{ notification_id: notifications[0]!.id }])
    expect(await app.call.notificationService.listNotifications({ order_id: 8 })).toEqual([])
  })

  test('leads to one notification also when it is published twice', async () => {
    await using app = await testSystem({ services: [service], fakes })
    await app.publish(orderService.events.orderPlaced, order)
    await app.publish(orderService.events.orderPlaced, order)
    await app.settled()
    expect(await app.call.notificationService.listNotifications({ order_id: 7 })).toHaveLength(1)
    expect(app.published(notificationService.events.notificationCreated)).toHaveLength(1)
  })

  test('is notified of once its user can be looked up again, however long that takes', async () => {
    let isUp = false
    const users = fake(userService, { getUser: () => (isUp ? Promise.resolve(ann) : Promise.reject(new Error('down'))) })
    await using app = await testSystem({ services: [service], fakes: [users, fakes[1]!] })
    await app.publish(orderService.events.orderPlaced, order)
    await app.clock.advance('2h')
    expect(await app.call.notificationService.listNotifications({ order_id: 7 })).toMatchObject([{ status: 'pending' }])
    isUp = true
    await app.settled()
    expect(await app.call.notificationService.listNotifications({ order_id: 7 })).toMatchObject([{ status: 'sent' }])
    expect(await app.deadLetters()).toEqual([])
  })

  test('whose user is gone becomes a dead letter, for people to decide about', async () => {
    const users = fake(userService, { getUser: (_, { fail }) => Promise.reject(fail.userNotFound()) })
    await using app = await testSystem({ services: [service], fakes: [users, fakes[1]!] })
    await app.publish(orderService.events.orderPlaced, order)
    await app.settled()
    expect(await app.deadLetters()).toMatchObject([
      { service: 'notification-service', cause: 'rejected', error: expect.stringContaining('User not found') },
    ])
  })
})

describe('mail', () => {
  /** Each attempt's raw message, also of those that are refused. */
  let attempts: string[]
  let refusals: number
  let server: SMTPServer
  let url: string

  beforeEach(async () => {
    attempts = []
    refusals = 0
    server = new SMTPServer({
      disabledCommands: ['AUTH', 'STARTTLS'],
      onData(stream, _session, callback) {
        text(stream).then(
          (message) => {
            attempts.push(message)
            callback(refusals-- > 0 ? Object.assign(new Error('Try again later'), { responseCode: 451 }) : null)
          },
          (error: unknown) => callback(error as Error),
        )
      },
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`
  })
  afterEach(() => new Promise<void>((resolve) => server.close(resolve)))

  test('goes out over SMTP, addressed to the user, under an id made from the notification', async () => {
    await using app = await testSystem({ services: [service], fakes, environment: { SMTP_URL: url, MAIL_FROM: 'shop@example.org' } })
    await app.publish(orderService.events.orderPlaced, order)
    await app.settled()
    const [notification] = await app.call.notificationService.listNotifications({ order_id: 7 })
    expect(attempts).toHaveLength(1)
    expect(headersOf(attempts[0]!)).toMatchObject({
      from: 'shop@example.org',
      to: 'ann@example.com',
      subject: 'Your order 7',
      'message-id': `<${notification!.id}@example.org>`,
    })
    expect(attempts[0]).toContain('Hello Ann,\r\n\r\nYour order 7 has been placed: kettle, 20.00.')
  })

  test('that the server refuses is tried again under the same id, until it is taken', async () => {
    refusals = 3
    await using app = await testSystem({ services: [service], fakes, environment: { SMTP_URL: url } })
    await app.publish(orderService.events.orderPlaced, order)
    await app.settled()
    expect(attempts).toHaveLength(4)
    expect(new Set(attempts.map((attempt) => headersOf(attempt)['message-id'])).size).toBe(1)
    expect(await app.call.notificationService.listNotifications({ order_id: 7 })).toMatchObject([{ status: 'sent' }])
  })

  test('is written to the log when there is no server', async () => {
    const destination = new PassThrough()
    await using app = await testSystem({ services: [service], fakes, log: createLog({ destination }) })
    await app.publish(orderService.events.orderPlaced, order)
    await app.settled()
    destination.end()
    const lines = (await text(destination))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines.filter((line) => 'mail' in line)).toMatchObject([
      {
        service: 'notification-service',
        mail: { to: '[redacted]', subject: 'Your order 7', text: expect.stringContaining('kettle') as string },
      },
    ])
  })

  test.each([
    [{ SMTP_URL: 'mail.example.org' }, /SMTP_URL \(for notification-service\): expected a URL that begins with smtp:\/\//],
    [{ MAIL_FROM: 'nobody' }, /MAIL_FROM \(for notification-service\)/],
  ])('refuses to start with %j', async (environment: Record<string, string>, message) => {
    await expect(testSystem({ services: [service], fakes, environment })).rejects.toThrow(message)
  })
})

function headersOf(message: string): Record<string, string> {
  const head = message.slice(0, message.indexOf('\r\n\r\n')).replaceAll(/\r\n[ \t]+/g, ' ')
  return Object.fromEntries(
    head.split('\r\n').map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  )
}
