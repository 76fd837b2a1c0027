/** The packed database that new ones are copies of. `scripts/make-cluster.mjs` makes it when the package is installed from source or packed. */
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { ZlibOptions } from 'node:zlib'
import { gunzip } from 'node:zlib'

const unpack = promisify<Buffer, ZlibOptions, Buffer>(gunzip)
/** In one piece, it takes a fifth of the time. */
const CHUNK_BYTES = 64 * 1_024 * 1_024

/** A tar archive of what initdb would make; undefined where there is none for this version of PGlite, and initdb has to run. */
export async function readyCluster(): Promise<Blob | undefined> {
  const manifest = await readFile(new URL('../package.json', import.meta.resolve('@electric-sql/pglite')), 'utf8')
  const { version } = JSON.parse(manifest) as { readonly version: string }
  const packed = await readFile(new URL(`../cluster/pglite-${version}.tar.gz`, import.meta.url)).catch(() => undefined)
  return packed && new Blob([await unpack(packed, { chunkSize: CHUNK_BYTES })])
}
