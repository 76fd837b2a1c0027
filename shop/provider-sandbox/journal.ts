/** The book on disk: one JSON line for each operation, written before it is answered. A line that the end of the process cut short was never answered. */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Journal, Operation } from './book.ts'

export interface OpenJournal extends Journal {
  readonly earlier: readonly Operation[]
}

/** Opens the journal at the path; without one nothing outlives the process. */
export function openJournal(path: string | undefined): OpenJournal {
  if (path === undefined) return { earlier: [], append() {} }
  mkdirSync(dirname(path), { recursive: true })
  const text = read(path)
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  if (whole !== text) writeFileSync(path, whole)
  return {
    earlier: whole
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Operation),
    append: (operation) => appendFileSync(path, `${JSON.stringify(operation)}\n`),
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}
