/** Cycles in who calls whom. */

interface Edge {
  readonly from: string
  readonly to: string
}

/** For each service that can be come back to, the shortest way round, each way once: `['a', 'b', 'a']`, from its first name on. */
export function shortestCycles(edges: readonly Edge[]): readonly (readonly string[])[] {
  const next = new Map<string, string[]>()
  for (const { from, to } of edges) next.set(from, [...(next.get(from) ?? []), to])
  const cycles = new Map<string, readonly string[]>()
  for (const start of [...next.keys()].toSorted()) {
    const cycle = wayRound(start, next)
    if (cycle === undefined) continue
    const key = cycle.slice(1).toSorted().join('\n')
    // Services are gone through in the order of their names: whoever found it first begins with its first name.
    if (!cycles.has(key)) cycles.set(key, cycle)
  }
  return [...cycles.values()]
}

/** Breadth first, so that the first way back is the shortest. */
function wayRound(start: string, next: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const ways: (readonly string[])[] = [[start]]
  const seen = new Set<string>()
  for (const way of ways)
    for (const name of next.get(way.at(-1)!) ?? []) {
      if (name === start) return [...way, start]
      if (seen.has(name)) continue
      seen.add(name)
      ways.push([...way, name])
    }
  return undefined
}
