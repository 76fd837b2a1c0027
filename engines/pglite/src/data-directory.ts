/** The directory that an engine keeps its data in. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

export interface DataDirectory {
  /** Where PostgreSQL's own files are. */
  readonly databasePath: string
  release(): Promise<void>
}

export async function openDataDirectory(path: string): Promise<DataDirectory> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  return { databasePath: join(path, 'pgdata'), release: async () => undefined }
}
