/** That there is one: without it everything works, only slower, and nobody would notice. */
import { expect, test } from 'vitest'
import { readyCluster } from './ready-cluster.ts'

test('new databases are copies of one that was made for the installed version of PGlite', async () => {
  expect(await readyCluster()).toBeInstanceOf(Blob)
})
