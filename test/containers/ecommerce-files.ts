/**
 * What `@skerry/deploy` generates for examples/ecommerce. The files are in the repository for people to read and for
 * `docker compose up`; run as a program (`npm run generate`), this writes them again.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { GeneratedFile, ImageOptions } from '@skerry/deploy'
import { containerFiles, readWorkspace } from '@skerry/deploy'
import { ecommerce } from '../../examples/ecommerce/system.ts'

/** The root of the repository, which is the context of every build. */
export const root = fileURLToPath(new URL('../../', import.meta.url))
/** Where the files belong, from there. */
export const folder = 'examples/ecommerce'

/** How the images are built. Here the command is a package of the workspace; elsewhere it comes from the registry. */
export async function ecommerceImages(): Promise<ImageOptions> {
  return { workspace: await readWorkspace(root, folder), systemFile: `${folder}/system.ts`, program: 'packages/cli/src/main.ts' }
}

export async function ecommerceFiles(): Promise<readonly GeneratedFile[]> {
  return containerFiles(ecommerce, { ...(await ecommerceImages()), folder })
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const { path, content } of await ecommerceFiles()) {
    const file = join(root, folder, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, content)
    console.log(`${folder}/${path}`)
  }
