/** Finds the file that defines a system, and loads the system and the platform that it was written with. */
import { stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type * as contract from 'skerry/contract'
import type * as runtime from 'skerry/runtime'
import type * as simulation from 'skerry/simulation'
import { CommandError, EXIT } from './failure.ts'

type System = runtime.System
export type Platform = typeof runtime

export interface LoadedSystem {
  readonly system: System
  /** Absolute. */
  readonly path: string
  /** The copy of the platform that the system itself imports: two copies in one process would not know each other's transactions. */
  readonly platform: Platform
}

const DEFAULT_FILES = ['system.ts', 'system.js', 'src/system.ts'] as const
const EXAMPLE = `export const shop = system('shop', { services: [users, orders], gateway: gateway() })`

/** Loads the system of a file; without one, of the first default file in the current directory. */
export async function loadSystem(file: string | undefined): Promise<LoadedSystem> {
  const path = await findSystemFile(file)
  const exports = (await import(pathToFileURL(path).href)) as Record<string, unknown>
  return { system: theSystem(exports, path), path, platform: await platformPart(path, 'skerry/runtime') }
}

/** The absolute path of the file. Throws when it does not exist. */
export async function findSystemFile(file: string | undefined): Promise<string> {
  for (const candidate of file === undefined ? DEFAULT_FILES : [file]) {
    const path = resolve(candidate)
    const found = await stat(path).catch(() => undefined)
    if (found?.isFile()) return path
    if (found !== undefined && file !== undefined)
      throw new CommandError(EXIT.usage, `${path} is not a file.`, 'Name the file that exports the system, such as --system system.ts.')
  }
  if (file !== undefined)
    throw new CommandError(EXIT.usage, `There is no file ${resolve(file)}.`, 'Name the file that exports the system with --system.')
  throw new CommandError(
    EXIT.usage,
    `There is no system here: looked for ${DEFAULT_FILES.join(', ')} in ${process.cwd()}.`,
    `Change to the folder that has it, or name the file with --system. It contains a line such as\n\n  ${EXAMPLE}`,
  )
}

function theSystem(exports: Record<string, unknown>, path: string): System {
  const byDefault = exports['default']
  if (isSystem(byDefault)) return byDefault
  const named = Object.entries(exports).filter((entry): entry is [string, System] => isSystem(entry[1]))
  const [first, ...others] = named
  if (first === undefined) {
    const has = Object.keys(exports)
    throw new CommandError(
      EXIT.usage,
      `${path} exports no system; ${has.length === 0 ? 'it exports nothing' : `it exports ${has.join(', ')}`}.`,
      `Export one, such as\n\n  ${EXAMPLE}`,
    )
  }
  if (others.some(([, system]) => system !== first[1]))
    throw new CommandError(
      EXIT.usage,
      `${path} exports several systems: ${named.map(([name]) => name).join(', ')}.`,
      'Make one of them the default export, or give each a file of its own and choose with --system.',
    )
  return first[1]
}

function isSystem(value: unknown): value is System {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'system'
}

interface PlatformParts {
  readonly 'skerry/runtime': Platform
  readonly 'skerry/contract': typeof contract
  readonly 'skerry/simulation': typeof simulation
}

/** A part of the platform as the module at `path` imports it; the command's own when it cannot, having got the system from elsewhere. */
export async function platformPart<Name extends keyof PlatformParts>(path: string, name: Name): Promise<PlatformParts[Name]> {
  const found = resolveFrom(path, name)
  return (await import(found === undefined ? name : pathToFileURL(found).href)) as PlatformParts[Name]
}

/** The file that a package name means for a module at `path`; undefined when the package is not installed there. */
export function resolveFrom(path: string, specifier: string): string | undefined {
  try {
    return createRequire(path).resolve(specifier)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
}
