/**
 * Each part of the shop stopped, hung and slow, and what customers see of it: exactly what shop/degradation/table.ts says. When the part is
 * back, everything that was accepted comes to its end, and what was refused is accepted. What the auditor thinks is asked at the end.
 */
import { readFile } from 'node:fs/promises'
import { audit } from '@shop/auditor'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { degradationRows } from '../../shop/degradation/markdown.ts'
import type { Journey, Part } from '../../shop/degradation/table.ts'
import { degradation, FAULTS, JOURNEYS, outcomeOf } from '../../shop/degradation/table.ts'
import { shop as system } from '../../shop/system.ts'
import { openBreakableShop } from './breakable-shop.ts'
import { Journeys, LOOKING, ORDERING } from './shop-journeys.ts'

const LOOKS = 5

let shop: Awaited<ReturnType<typeof openBreakableShop>>
let journeys: Journeys

beforeAll(async () => {
  shop = await openBreakableShop()
  journeys = new Journeys(shop)
})

afterAll(async () => shop?.[Symbol.asyncDispose]())

const walked = (Object.keys(JOURNEYS) as Journey[]).filter((journey) => journey !== 'later')
const parts = Object.keys(degradation) as Part[]

describe.each(parts)('%s', (part) => {
  test.each(FAULTS)('%s', async (fault) => {
    const declared = Object.fromEntries(walked.map((journey) => [journey, outcomeOf(part, fault, journey)]))
    await journeys.prepare()
    await shop.break(part, fault)
    try {
      const seen = await journeys.walk()
      for (const journey of ORDERING)
        if (seen[journey] === 'accepted') seen[journey] = await journeys.fate(journey, outcomeOf(part, fault, journey))
      for (const journey of LOOKING)
        for (let again = 0; again < LOOKS && seen[journey] !== declared[journey]; again++) seen[journey] = await journeys.look(journey)
      expect(seen).toEqual(declared)
    } finally {
      await shop.heal(part, fault)
    }
    await journeys.catchUp()
  })
})

test('every service of the shop is a part that can break', () => {
  expect(parts.toSorted()).toEqual([...system.services.map(({ contract }) => contract.name), 'broker', 'provider'].toSorted())
})

test('docs/shop.md shows the table', async () => {
  const page = await readFile(new URL('../../docs/shop.md', import.meta.url), 'utf8')
  const section = page.slice(page.indexOf('## When a part of it is broken'), page.indexOf('## When a user is erased'))
  const rows = section
    .split('\n')
    .filter((line) => line.startsWith('|') && !/^\|[ -]*-[|\- ]*$/.test(line))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    )
  expect(rows).toEqual(degradationRows())
})

test('in the end nothing is lost, and nothing has happened twice', async () => {
  const databases = Object.fromEntries([...shop.host.instances].map(([name, { database }]) => [name, database!]))
  await expect.poll(() => audit(databases, shop.provider.sandbox.book(), { now: shop.clock.now() })).toEqual([])
})
