import { databaseConformance } from 'skerry/conformance'
import { afterAll, describe, test, vi } from 'vitest'
import { pglite } from './index.ts'

// Opening PGlite takes seconds, and many on a machine that has other things to do.
vi.setConfig({ testTimeout: 120_000 })

for (const thread of ['main', 'worker'] as const)
  describe(`PGlite in memory, ${thread} thread`, () => {
    const engine = pglite({ thread })
    afterAll(() => engine.close())
    for (const { name, run } of databaseConformance) test(name, () => run(engine))
  })
