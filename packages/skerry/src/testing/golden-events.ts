/**
 * Golden events: one file for each schema that an event of a stream has ever had, with data as they were stored and as
 * today's code must read them. What is stored stays for ever, so a release that reads it differently must fail its tests.
 */
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { validate } from '../contract/schema.ts'
import { readStored } from '../event-store/stored-event.ts'
import type { AnyStream } from '../event-store/stream.ts'

interface Golden {
  /** As they were stored under the schema that the file's name tells. */
  readonly stored: unknown
  /** As they are read today. */
  readonly reads: unknown
}

/**
 * Reads the golden events of a stream from a folder, `placed.1.json` for schema 1 of `placed`, and brings each up to date. Rejects with
 * a list of everything that is wrong: a schema without its file, a file without its schema, data that are read differently or that
 * today's schema does not allow.
 *
 * @example await checkGoldenEvents(order, new URL('./golden/order/', import.meta.url))
 */
export async function checkGoldenEvents(stream: AnyStream, folder: URL): Promise<void> {
  const path = fileURLToPath(folder)
  const files = new Set((await readdir(path).catch(() => [])).filter((file) => file.endsWith('.json')))
  const wrong: string[] = []
  for (const [type, declared] of Object.entries(stream.events))
    for (let schema = 1; schema <= declared.schema; schema++) {
      const file = `${type}.${schema}.json`
      if (!files.delete(file))
        wrong.push(`${file} is missing: write { "stored": …, "reads": … } with data as schema ${schema} of "${type}" stores them`)
      else wrong.push(...(await problemsOf(stream, type, schema, new URL(file, folder))).map((problem) => `${file}: ${problem}`))
    }
  for (const file of files) wrong.push(`${file} is for no schema of any event: an event that was ever stored must stay declared`)
  if (wrong.length === 0) return
  throw new Error(
    `The golden events of ${stream.name} in ${path} do not agree with its code:\n${wrong.map((line) => `  - ${line}`).join('\n')}`,
  )
}

async function problemsOf(stream: AnyStream, type: string, schema: number, file: URL): Promise<string[]> {
  let golden: Golden
  let read: unknown
  try {
    golden = JSON.parse(await readFile(file, 'utf8')) as Golden
    read = readStored(stream.events, type, schema, golden.stored, { stream: stream.name, id: 'golden', version: 1 })
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  }
  const validation = await validate(stream.events[type]!.data, read)
  if (!validation.ok)
    return validation.issues.map((issue) => `today's schema does not allow it: ${issue.path || 'the data'}: ${issue.message}`)
  if (isDeepStrictEqual(read, golden.reads)) return []
  return [`it is read as ${JSON.stringify(read)}, not as ${JSON.stringify(golden.reads)}`]
}
