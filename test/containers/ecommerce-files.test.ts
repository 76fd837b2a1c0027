import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ecommerceFiles, folder, root } from './ecommerce-files.ts'

const files = await ecommerceFiles()

test.each(files.map(({ path, content }) => [path, content]))(
  `${folder}/%s is what the generator makes of the system (else: npm run generate)`,
  async (path, content) => {
    expect(await readFile(join(root, folder, path), 'utf8')).toBe(content)
  },
)

test('generating twice gives the same', async () => {
  expect(await ecommerceFiles()).toEqual(files)
})
