import { databaseConformance } from 'skerry/conformance'
import { afterAll, describe, test } from 'vitest'
import { pglite } from './index.ts'

for (const thread of ['main', 'worker'] as const)
  describe(`PGlite in memory, ${thread} thread`, () => {
    const engine = pglite({ thread })
    afterAll(() => engine.close())
    for (const { name, run } of databaseConformance) test(name, () => run(engine))
  })
