/** PGlite on its own thread, with statements and answers of all sizes on their way at once. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { pglite } from './pglite.ts'

it('answers long and short statements of many services at once, each with its own answer', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'skerry-worker-'))
  const engine = pglite({ dataDir: directory })
  try {
    const databases = await Promise.all(['a', 'b', 'c', 'd'].map((service) => engine.open({ service, shared: true })))
    const sizes = [0, 10, 2_100, 16_000, 17_000, 70_000, 300_000]
    const asked = databases.flatMap((database, index) =>
      Array.from({ length: 40 }, async (_, round) => {
        const asks = sizes[(round + index) % sizes.length]!
        const answers = sizes[(round * 3 + index) % sizes.length]!
        const { rows } = await database.query<{ who: string; got: number; back: string }>(
          `select $1::text as who, length($2::text) as got, repeat('x', $3::int) as back`,
          [`${index}/${round}`, 'y'.repeat(asks), answers],
        )
        expect({ ...rows[0], back: rows[0]!.back.length }).toEqual({ who: `${index}/${round}`, got: asks, back: answers })
      }),
    )
    await Promise.all(asked)
    expect(asked).toHaveLength(160)
  } finally {
    await engine.close()
    await rm(directory, { recursive: true, force: true })
  }
})
