/**
 * How an answer says which parts of it stand in for others, as a list of RFC 9651:
 *
 *     Skerry-Degraded: catalog.getProduct;because=unavailable;answer=lastKnown;age=42
 *
 * No registered field says it: Warning is obsolete (RFC 9111, 5.5), and Cache-Status (RFC 9211) speaks of caches only.
 */
import type { Degradation } from '../contract/degradation.ts'
import { MAX_DEGRADATIONS } from '../contract/degradation.ts'

export const DEGRADED = 'skerry-degraded'
const ENTRY =
  /^ *([A-Za-z][\w.-]{0,200}) *;because=(unavailable|deadlineExceeded|overloaded);answer=(fallback|lastKnown)(?:;age=(\d{1,9}))? *$/

/** `age` in whole seconds. */
export function writeDegraded(degraded: readonly Degradation[]): Record<string, string> {
  const entries = degraded.map(({ operation, because, answer, ageMs }) => {
    const age = ageMs === undefined ? '' : `;age=${Math.floor(ageMs / 1_000)}`
    return `${operation};because=${because};answer=${answer}${age}`
  })
  return { [DEGRADED]: entries.join(', ') }
}

/** What of it can be read; undefined when nothing can. */
export function readDegraded(header: string): readonly Degradation[] | undefined {
  const degraded = header
    .split(',')
    .slice(0, MAX_DEGRADATIONS)
    .flatMap((entry) => {
      const match = ENTRY.exec(entry)
      if (match === null) return []
      const [, operation, because, answer, age] = match as unknown as [
        string,
        string,
        Degradation['because'],
        Degradation['answer'],
        string?,
      ]
      return [{ operation, because, answer, ...(age === undefined ? {} : { ageMs: Number(age) * 1_000 }) }]
    })
  return degraded.length === 0 ? undefined : degraded
}
