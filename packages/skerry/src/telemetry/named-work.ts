/** Work of which there are many kinds, known only when one of them is first done: each is described once. */
import type { StartSpan, Telemetry, WorkDescription } from './telemetry.ts'

/** Names may come from strangers: of more kinds than this the spans share one name. */
const MAX_KINDS = 1_000
const OTHER = 'other'

/** Begins work that is told apart by one or several names. */
export function namedWork<Names extends readonly string[]>(
  telemetry: Telemetry,
  describe: (...names: Names) => WorkDescription,
): (...names: Names) => StartSpan {
  const starts = new Map<string, StartSpan>()
  const of = (names: Names): StartSpan => {
    const key = names.length === 1 ? names[0]! : names.join('\n')
    const known = starts.get(key)
    if (known !== undefined) return known
    if (starts.size >= MAX_KINDS && names[0] !== OTHER) return of(names.map(() => OTHER) as readonly string[] as Names)
    const start = telemetry.work(describe(...names))
    starts.set(key, start)
    return start
  }
  return (...names) => of(names)
}
