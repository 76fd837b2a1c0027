import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Registry, ServiceAddress } from '../engine/registry.ts'
import { registryConformance } from '../testing/conformance/registry.ts'
import { fileRegistry } from './file-registry.ts'

let directory: string
let registry: Registry | undefined
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'skerry-test-registry-'))
})
afterEach(async () => {
  await registry?.close()
  registry = undefined
  await rm(directory, { recursive: true, force: true })
})

describe('conformance', () => {
  const leaseMs = 1_500
  test.each(registryConformance)('$name', async (promise) => {
    await expect(promise.run({ engine: fileRegistry(directory, { leaseMs }), leaseMs })).resolves.toBeUndefined()
  })
})

const address = { id: 'one', url: 'http://127.0.0.1:1234' }

async function watched(service: string): Promise<(readonly ServiceAddress[])[]> {
  registry ??= await fileRegistry(directory, { leaseMs: 1_500 }).open({})
  const seen: (readonly ServiceAddress[])[] = []
  registry.watch(service, (list) => seen.push(list))
  return seen
}

test('a registration whose file somebody has removed is made again', async () => {
  const seen = await watched('users')
  await registry!.register!('users', address).held
  await expect.poll(() => seen.at(-1)?.length).toBe(1)
  await rm(join(directory, 'users', 'one.json'))
  await expect.poll(() => seen.length).toBeGreaterThan(2)
  await expect.poll(() => seen.at(-1)?.length).toBe(1)
})

test('what is no address is passed by, and what has long been dead is removed', async () => {
  const seen = await watched('users')
  await registry!.register!('users', address).held
  await writeFile(join(directory, 'users', 'garbage.json'), '{"id":"x","url":"javascript:alert(1)"}')
  await writeFile(join(directory, 'users', 'half.json'), '{"id":"x","ur')
  const dead = join(directory, 'users', 'dead.json')
  await writeFile(dead, JSON.stringify({ id: 'dead', url: 'http://127.0.0.1:1' }))
  await utimes(dead, new Date(0), new Date(0))
  await expect.poll(() => readdir(join(directory, 'users'))).not.toContain('dead.json')
  expect(seen.at(-1)?.map(({ id }) => id)).toEqual(['one'])
})

test('a folder that is removed altogether comes back', async () => {
  const seen = await watched('users')
  await registry!.register!('users', address).held
  await expect.poll(() => seen.at(-1)?.length).toBe(1)
  const told = seen.length
  await rm(directory, { recursive: true })
  await expect.poll(() => readdir(join(directory, 'users')).catch(() => [])).toContain('one.json')
  await expect.poll(() => seen.length > told && seen.at(-1)?.length === 1).toBe(true)
})
