import { databaseConformance, ownDatabaseConformance } from 'skerry/conformance'
import type { DatabaseEngine } from 'skerry/engine'
import { afterAll, describe, test } from 'vitest'
import { postgres } from './index.ts'

const url = process.env['SKERRY_TEST_POSTGRES_URL']!

describe('PostgreSQL, shared by services', () => {
  const engine = postgres({ url })
  afterAll(() => engine.close())
  for (const { name, run } of databaseConformance) test(name, () => run(engine))
})

describe('PostgreSQL, shared by services behind a pooler of transactions', () => {
  const engine = postgres({ url, transactionPooler: true })
  afterAll(() => engine.close())
  for (const { name, run } of databaseConformance) test(name, () => run(engine))
})

describe('PostgreSQL, of one service alone', () => {
  const engine = postgres({ url })
  const alone: DatabaseEngine = {
    description: engine.description,
    open: ({ service }) => engine.open({ service, shared: false }),
    close: () => engine.close(),
  }
  afterAll(() => engine.close())
  for (const { name, run } of ownDatabaseConformance) test(name, () => run(alone))
})
