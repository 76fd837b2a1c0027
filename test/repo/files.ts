/** The files of this repository as tests about it see them: what is tracked or would be, never what was installed or built. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The folder of the repository, without a slash at its end. */
export const root = join(import.meta.dirname, '..', '..')

const ignored = new Set(['node_modules', 'dist', 'coverage', '.git', '.skerry', '.cache'])

/** Paths from the root, sorted. Folders that .gitignore names are left out. */
export const files: readonly string[] = walk('').toSorted()

/** Source files of ours, tests and scripts included. */
export const sources: readonly string[] = files.filter((file) => /[.](ts|mts|mjs|js)$/.test(file))

/** Tests and what only they use; neither is published. */
export const isTest = (file: string): boolean => /[.]test(-d)?[.]ts$|\/fixtures\//.test(file)

const texts = new Map<string, string>()

export function read(file: string): string {
  const text = texts.get(file) ?? readFileSync(join(root, file), 'utf8')
  texts.set(file, text)
  return text
}

export const exists = (file: string): boolean => existsSync(join(root, file))

function walk(directory: string): string[] {
  return readdirSync(join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    const path = directory === '' ? entry.name : `${directory}/${entry.name}`
    if (entry.isDirectory()) return ignored.has(entry.name) ? [] : walk(path)
    return entry.isFile() && !entry.name.endsWith('.tsbuildinfo') && !entry.name.endsWith('.log') ? [path] : []
  })
}
