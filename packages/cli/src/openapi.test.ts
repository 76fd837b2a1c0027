import { expect, test } from 'vitest'
import { openProject } from './fixtures/project.ts'

interface Document {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string }
  readonly paths: Readonly<Record<string, object>>
}

test('of the gateway: one JSON document with what is public, and nothing else on standard output', async () => {
  await using project = await openProject()
  const { code, stdout, stderr } = await project.run(['openapi'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const document = JSON.parse(stdout) as Document
  expect(document.openapi).toMatch(/^3\.1\./)
  expect(document.info.title).toBe('people')
  expect(Object.keys(document.paths).toSorted()).toEqual(['/users', '/users/{id}'])
  expect((await project.run(['openapi', 'gateway'])).stdout).toBe(stdout)
})

test('of a service: all its operations, or with --public those of the gateway', async () => {
  await using project = await openProject()
  const all = JSON.parse((await project.run(['openapi', 'users'])).stdout) as Document
  expect(all.info).toMatchObject({ title: 'users', version: '1.0.0' })
  expect(Object.keys(all.paths).toSorted()).toEqual(['/users', '/users-count', '/users/{id}'])
  const outside = JSON.parse((await project.run(['openapi', 'users', '--public'])).stdout) as Document
  expect(outside.info).toMatchObject({ title: 'users', version: '1.0.0' })
  expect(Object.keys(outside.paths).toSorted()).toEqual(['/users', '/users/{id}'])
})

test('opens nothing and needs no configuration; a system that keeps a timer does not keep it from ending', async () => {
  await using project = await openProject({ packages: ['skerry', 'zod'] })
  await project.write('system.ts', `${await project.read('system.ts')}\nsetInterval(() => {}, 1000)\n`)
  expect(await project.run(['openapi'], { DATABASE_URL: 'no url' })).toMatchObject({ code: 0, stderr: '' })
})

test('of a service that does not exist: exit 2, with those that do, and nothing to take for a document', async () => {
  await using project = await openProject()
  expect(await project.run(['openapi', 'oders'])).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('Use one of: users, gateway.'),
  })
})
