/** The spans of a trace as a tree, written down from the top: each below the one that it was done for, in the order in which they began. */
import type { StoredSpan } from './traces.ts'

export interface Branch {
  readonly span: StoredSpan
  /** 0 for the first of the trace, and for those whose parent is not among the spans. */
  readonly depth: number
}

/** `spans` in the order in which they began. */
export function treeOf(spans: readonly StoredSpan[]): readonly Branch[] {
  const ids = new Set(spans.map(({ spanId }) => spanId))
  const below = Map.groupBy(spans, ({ parentSpanId }) => (parentSpanId !== undefined && ids.has(parentSpanId) ? parentSpanId : undefined))
  const seen = new Set<StoredSpan>()
  const branches: Branch[] = []
  // What comes from anywhere may lie in a ring, which no root leads to.
  for (const root of [...(below.get(undefined) ?? []), ...spans]) {
    const left: Branch[] = [{ span: root, depth: 0 }]
    for (let branch = left.pop(); branch !== undefined; branch = left.pop()) {
      if (seen.has(branch.span)) continue
      seen.add(branch.span)
      branches.push(branch)
      const { span, depth } = branch
      for (const child of (below.get(span.spanId) ?? []).toReversed()) left.push({ span: child, depth: depth + 1 })
    }
  }
  return branches
}
