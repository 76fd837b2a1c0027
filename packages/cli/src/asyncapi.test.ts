import { expect, test } from 'vitest'
import { MAIL_SYSTEM } from './events/fixtures/mail-system.ts'
import { openProject } from './fixtures/project.ts'

interface Document {
  readonly asyncapi: string
  readonly info: { readonly title: string }
  readonly operations: Readonly<Record<string, object>>
}

test('of the system, and of one service: one JSON document, and nothing is opened', async () => {
  await using project = await openProject({ files: MAIL_SYSTEM, packages: ['skerry', 'zod'] })
  const documentOf = async (...parameters: string[]): Promise<Document> => {
    const { code, stdout, stderr } = await project.run(['asyncapi', ...parameters], { DATABASE_URL: 'no url' })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return JSON.parse(stdout) as Document
  }
  const all = await documentOf()
  expect([all.asyncapi, all.info.title, Object.keys(all.operations)]).toEqual(['3.0.0', 'shop', ['mails.receive.orders', 'orders.send']])
  const mails = await documentOf('mails')
  expect([mails.info.title, Object.keys(mails.operations)]).toEqual(['mails', ['mails.receive.orders']])
})

test('of a service that does not exist, and of the gateway: exit 2', async () => {
  await using project = await openProject({ files: MAIL_SYSTEM })
  expect(await project.run(['asyncapi', 'oders'])).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('Use one of: orders, mails, gateway.'),
  })
  expect(await project.run(['asyncapi', 'gateway'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('The gateway has no events.'),
  })
})
