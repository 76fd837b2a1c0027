/**
 * What services do for each other on one journey of a user: which calls each makes of which other one, how deep calls lie within calls, whether
 * one comes round to where it began, and how many events are told. It is told from spans, of one trace or of several.
 */
import type { TracedWork } from './part.ts'
import { ownerOf } from './part.ts'

export interface Journey {
  /** Calls from one service to another, the gateway's among them; attempts made again are not counted. */
  readonly calls: number
  /** By who calls whom, those with the most calls first. */
  readonly pairs: readonly CallingPair[]
  /** How many calls lie within each other at the most: the gateway calls one service, that one another: 2. Events and steps of sagas begin anew. */
  readonly depth: number
  /** Every different chain of calls within calls, by who calls, that is no part of a longer one; the deepest first. */
  readonly chains: readonly Chain[]
  /** Chains that come round to a service that waits already, from there and back: `['a', 'b', 'a']`. */
  readonly cycles: readonly Chain[]
  /** Events that were emitted. */
  readonly events: number
}

export interface CallingPair {
  readonly from: string
  readonly to: string
  readonly calls: number
  /** By operation, those that are called most first. */
  readonly operations: readonly { readonly name: string; readonly calls: number }[]
  /** In which trace it is called most often, and how often there. */
  readonly most: { readonly traceId: string; readonly calls: number }
}

export interface Chain {
  readonly services: readonly string[]
  /** One of the traces in which it was seen. */
  readonly traceId: string
  /** How often it was seen. */
  readonly count: number
}

export function journeyOf(work: Iterable<TracedWork>): Journey {
  const traces = new Map<string, TracedWork[]>()
  for (const one of work) {
    const trace = traces.get(one.traceId)
    if (trace === undefined) traces.set(one.traceId, [one])
    else trace.push(one)
  }
  const pairs = new PairCounts()
  const chains = new Map<string, Chain>()
  const cycles = new Map<string, Chain>()
  let calls = 0
  let events = 0
  for (const [traceId, trace] of traces) {
    for (const { part } of trace) if (part === 'emit') events++
    const paths = pathsOf(trace)
    for (const [call, path] of paths) {
      calls++
      pairs.add(call)
      const back = path.indexOf(path.at(-1)!)
      if (back < path.length - 1) count(cycles, path.slice(back), traceId)
    }
    for (const path of longestOf([...paths.values()])) count(chains, path, traceId)
  }
  const deepest = [...chains.values()].toSorted((a, b) => b.services.length - a.services.length || b.count - a.count)
  return {
    calls,
    pairs: pairs.all(),
    depth: Math.max(0, (deepest[0]?.services.length ?? 1) - 1),
    chains: deepest,
    cycles: [...cycles.values()],
    events,
  }
}

type Path = readonly string[]

/** Who waits for whom at each call: the caller of the outermost, then everybody who is called. */
function pathsOf(trace: readonly TracedWork[]): Map<TracedWork, Path> {
  const byId = new Map(trace.map((one) => [one.spanId, one]))
  const paths = new Map<TracedWork, Path>()
  for (const one of trace) {
    if (one.part !== 'call') continue
    const above: TracedWork[] = []
    let path: Path | undefined
    for (let call: TracedWork | undefined = one; call !== undefined; call = callAbove(call, byId)) {
      path = paths.get(call)
      // Spans come from anywhere: one may name itself as its own ancestor.
      if (path !== undefined || above.includes(call)) break
      above.push(call)
    }
    for (const call of above.toReversed()) paths.set(call, (path = [...(path ?? [call.service]), ownerOf(call.target)]))
  }
  return paths
}

/** The call within which this one was made. What an event or a saga has set going nobody waits for. */
function callAbove(call: TracedWork, byId: ReadonlyMap<string, TracedWork>): TracedWork | undefined {
  const seen = new Set<TracedWork>()
  for (let one = byId.get(call.parentSpanId ?? ''); one !== undefined && !seen.has(one); one = byId.get(one.parentSpanId ?? '')) {
    if (one.part === 'call') return one
    if (one.part === 'emit' || one.part === 'deliver' || one.part === 'step') return undefined
    seen.add(one)
  }
  return undefined
}

/** Without those with which another one begins. */
function longestOf(paths: readonly Path[]): readonly Path[] {
  const begun = new Set(paths.flatMap((path) => (path.length > 2 ? [keyOf(path.slice(0, -1))] : [])))
  return paths.filter((path) => !begun.has(keyOf(path)))
}

function count(chains: Map<string, Chain>, services: Path, traceId: string): void {
  const key = keyOf(services)
  const known = chains.get(key)
  chains.set(key, known === undefined ? { services, traceId, count: 1 } : { ...known, count: known.count + 1 })
}

function keyOf(path: Path): string {
  return path.join('\n')
}

class PairCounts {
  readonly #pairs = new Map<string, { from: string; to: string; operations: Map<string, number>; traces: Map<string, number> }>()

  add({ service: from, target, traceId }: TracedWork): void {
    const to = ownerOf(target)
    const key = keyOf([from, to])
    let pair = this.#pairs.get(key)
    if (pair === undefined) this.#pairs.set(key, (pair = { from, to, operations: new Map(), traces: new Map() }))
    pair.operations.set(target, (pair.operations.get(target) ?? 0) + 1)
    pair.traces.set(traceId, (pair.traces.get(traceId) ?? 0) + 1)
  }

  all(): readonly CallingPair[] {
    return [...this.#pairs.values()]
      .map(({ from, to, operations, traces }) => {
        const byCalls = [...operations].map(([name, calls]) => ({ name, calls })).toSorted((a, b) => b.calls - a.calls)
        const [traceId, calls] = [...traces].reduce((most, one) => (one[1] > most[1] ? one : most))
        return { from, to, calls: byCalls.reduce((sum, one) => sum + one.calls, 0), operations: byCalls, most: { traceId, calls } }
      })
      .toSorted((a, b) => b.calls - a.calls)
  }
}
