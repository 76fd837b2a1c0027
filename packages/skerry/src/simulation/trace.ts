/** What has happened in a simulated world, in order: for a person to read, and hashed so that two runs of a seed can be compared. */
import type { Hash } from 'node:crypto'
import { createHash } from 'node:crypto'

export interface TraceLine {
  /** Milliseconds since the world began. */
  readonly atMs: number
  readonly node: string
  readonly text: string
}

/** Characters: a hash of many short pieces takes longer than one of all of them. */
const HASHED_AT_ONCE = 65_536

export class Trace {
  readonly lines: TraceLine[] = []
  readonly #hash: Hash = createHash('sha256')
  readonly #startMs: number
  #unhashed = ''

  constructor(startMs: number) {
    this.#startMs = startMs
  }

  add(nowMs: number, node: string, text: string): void {
    const line = { atMs: nowMs - this.#startMs, node, text }
    this.lines.push(line)
    this.detail(nowMs, node, text)
  }

  /** Belongs to what has happened, and is too much to read. */
  detail(nowMs: number, node: string, text: string): void {
    this.#unhashed += `${nowMs} ${node} ${text}\n`
    if (this.#unhashed.length > HASHED_AT_ONCE) this.#update()
  }

  /** SHA-256 over everything so far, in hexadecimal. */
  get hash(): string {
    this.#update()
    return this.#hash.copy().digest('hex')
  }

  #update(): void {
    this.#hash.update(this.#unhashed)
    this.#unhashed = ''
  }
}

/** A value as it stands in a trace; of nothing, nothing. */
export function shown(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part)) ?? ''
}

/** The last lines, aligned: `  1.204 s  orders         answered 200`. */
export function formatTrace(lines: readonly TraceLine[]): string {
  const width = Math.max(0, ...lines.map(({ node }) => node.length))
  return lines.map(({ atMs, node, text }) => `${(atMs / 1_000).toFixed(3).padStart(10)} s  ${node.padEnd(width)}  ${text}`).join('\n')
}
