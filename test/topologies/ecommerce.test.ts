import { afterAll, beforeAll, describe } from 'vitest'
import { ecommerce, ecommerceSuite } from './ecommerce-suite.ts'
import type { RunningTopology } from './topology.ts'
import { topologies } from './topology.ts'

describe.each(topologies)('$name', (topology) => {
  let running: RunningTopology
  beforeAll(async () => {
    running = await topology.start(ecommerce)
  })
  afterAll(() => running[Symbol.asyncDispose]())

  ecommerceSuite(() => running)
})
