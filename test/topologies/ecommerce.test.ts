import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Mailbox } from '../services/mailbox.ts'
import { startMailbox } from '../services/mailbox.ts'
import { waitUntil } from '../services/wait-until.ts'
import { query } from './databases.ts'
import { ecommerce, ecommerceSuite, notificationSent } from './ecommerce-suite.ts'
import { request } from './request.ts'
import type { RunningTopology } from './topology.ts'
import { topologies } from './topology.ts'

const ann = { id: 1, name: 'Ann', email: 'ann@example.com' }
const order = { id: 7, user_id: 1, product: 'kettle', amount: 20 }
const permissionDenied = '42501'
vi.setConfig({ testTimeout: 120_000 })

describe.each(topologies)('$name', (topology) => {
  let mailbox: Mailbox
  let running: RunningTopology
  beforeAll(async () => {
    mailbox = await startMailbox()
    running = await topology.start({ ...ecommerce, env: { SMTP_URL: mailbox.url } })
  })
  afterAll(async () => {
    await running[Symbol.asyncDispose]()
    await mailbox[Symbol.asyncDispose]()
  })
  const post = (path: string, body: unknown) => request('POST', running.gatewayUrl + path, body)
  const get = (path: string) => request('GET', running.gatewayUrl + path)

  ecommerceSuite(() => running)

  test('a placed order leads to one mail, to its user, under an id made from the notification', async () => {
    await post('/users', ann)
    await post('/orders', { ...order, id: 70 })
    const notification = await notificationSent(running, 70)
    const mails = mailbox.mails.filter(({ subject }) => subject === 'Your order 70')
    expect(mails).toMatchObject([{ to: 'ann@example.com', id: `<${notification.id}@shop.example>` }])
  })

  test('defect gone: state in dictionaries; it survives a restart of every host', async () => {
    await post('/users', ann)
    await post('/orders', order)
    const notification = await notificationSent(running, order.id)
    const mailsBefore = mailbox.mails.length
    await running.stop()
    await running.start()
    expect(await get('/users/1')).toMatchObject({ status: 200, body: ann })
    expect(await get('/orders/7')).toMatchObject({ status: 200, body: order })
    expect(await get('/notifications?order_id=7')).toMatchObject({ status: 200, body: [notification] })
    // What is placed after the restart has passed everything that could have been left over from before.
    await post('/orders', { ...order, id: 71 })
    await notificationSent(running, 71)
    expect(mailbox.mails.slice(mailsBefore)).toMatchObject([{ subject: 'Your order 71' }])
  })

  test("D1 a service cannot read another's tables", async () => {
    const { databases } = running
    if (databases.kind === 'separate') {
      const foreign = new URL(databases.urls['order-service']!)
      foreign.pathname = new URL(databases.urls['user-service']!).pathname
      await expect(query(foreign.href, 'select 1')).rejects.toMatchObject({ code: permissionDenied })
      return
    }
    await running.stop()
    const engine = databases.open()
    const orders = await engine.open({ service: 'order-service', shared: true })
    for (const statement of [
      'select * from "user-service".users',
      'delete from "user-service".users',
      'create table "user-service".mine ()',
    ])
      await expect(orders.query(statement)).rejects.toMatchObject({ sqlState: permissionDenied })
    expect((await orders.query('select * from orders')).rows).not.toEqual([])
    // The hosts themselves have worked as these roles: what they made belongs to them.
    const owners = await orders.query(
      `select schemaname, tableowner from pg_tables where tablename in ('users', 'orders', 'notifications')`,
    )
    expect(owners.rows).toHaveLength(ecommerce.services.length)
    expect(owners.rows).toEqual(expect.arrayContaining(ecommerce.services.map((name) => ({ schemaname: name, tableowner: name }))))
    await engine.close()
    await running.start()
    await waitUntil('the restarted host is ready', 10_000, async () => (await get('/health/ready')).status === 200 || undefined)
  })
})
