import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { order } from '../event-store/fixtures/orders.ts'
import { checkGoldenEvents } from './golden-events.ts'

let path: string
const now = { sku: 'cup', quantity: 1 }
const golden = {
  'placed.1.json': { stored: { customer: 'ann' }, reads: { customer: 'ann' } },
  'lineAdded.1.json': { stored: { product: 'cup' }, reads: now },
  'lineAdded.2.json': { stored: { sku: 'cup' }, reads: now },
  'lineAdded.3.json': { stored: now, reads: now },
  'closed.1.json': { stored: {}, reads: {} },
}

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'skerry-golden-'))
  for (const [file, content] of Object.entries(golden)) await writeFile(join(path, file), JSON.stringify(content))
})
afterEach(() => rm(path, { recursive: true, force: true }))

const check = () => checkGoldenEvents(order, pathToFileURL(`${path}/`))

describe('golden events', () => {
  it('of every schema are read as they must be', async () => {
    await expect(check()).resolves.toBeUndefined()
  })

  it.each([
    ['is missing', 'lineAdded.2.json', undefined, 'lineAdded.2.json is missing'],
    [
      'is read differently',
      'lineAdded.2.json',
      { stored: { sku: 'cup' }, reads: { sku: 'cup', quantity: 2 } },
      'it is read as {"sku":"cup","quantity":1}, not',
    ],
    ['is not what its upcaster can take', 'lineAdded.1.json', { stored: null, reads: now }, 'upcast 1 of "lineAdded" failed'],
    ['comes to what the schema of today refuses', 'lineAdded.1.json', { stored: {}, reads: now }, "today's schema does not allow it: /sku"],
    ['is of an event that is no longer declared', 'shipped.1.json', { stored: {}, reads: {} }, 'shipped.1.json is for no schema'],
    ['is of a schema that is no longer declared', 'lineAdded.4.json', { stored: now, reads: now }, 'lineAdded.4.json is for no schema'],
  ])('one that %s is named', async (_, file, content, message) => {
    if (content === undefined) await rm(join(path, file))
    else await writeFile(join(path, file), JSON.stringify(content))
    await expect(check()).rejects.toThrow(message)
  })
})
