/**
 * The services of a system and what goes between them: what their definitions declare against what was seen in traces, how often, how slow and how
 * often in vain, and what deserves a second look: pairs that talk too much, calls that go in circles, and chains that are too deep.
 */
import type { Chain } from '../telemetry/journey.ts'
import { journeyOf } from '../telemetry/journey.ts'
import { ownerOf } from '../telemetry/part.ts'
import { shortestCycles } from './cycles.ts'
import type { Quantity } from './quantity.ts'
import { quantityOf } from './quantity.ts'
import type { MeasuredWork } from './traces.ts'

/** What a system says of itself. */
export interface DeclaredSystem {
  readonly services: readonly string[]
  readonly calls: readonly { readonly from: string; readonly to: string }[]
  readonly events: readonly { readonly event: string; readonly to: string }[]
}

export interface MapSettings {
  /** As many calls of one service by another within one trace are too many. */
  readonly chattyCalls: number
  /** As many calls may lie within each other. */
  readonly maxDepth: number
}

export const MAP_DEFAULTS: MapSettings = { chattyCalls: 5, maxDepth: 3 }

export interface ServiceMap {
  readonly services: readonly { readonly name: string; readonly isDeclared: boolean; readonly isObserved: boolean }[]
  readonly calls: readonly CallEdge[]
  readonly events: readonly EventEdge[]
  readonly chatty: readonly { readonly from: string; readonly to: string; readonly calls: number; readonly traceId: string }[]
  /** Of who calls whom, declared or seen, as `['a', 'b', 'a']`; `traceId` is of one in which it was gone round within one call. */
  readonly cycles: readonly { readonly services: readonly string[]; readonly traceId: string | undefined }[]
  readonly deep: readonly Chain[]
}

export interface CallEdge {
  readonly from: string
  readonly to: string
  readonly isDeclared: boolean
  /** Undefined when none was seen. */
  readonly observed: Quantity | undefined
  readonly operations: readonly (Quantity & { readonly name: string })[]
}

export interface EventEdge {
  readonly from: string
  readonly to: string
  readonly event: string
  readonly isDeclared: boolean
  /** Of its deliveries. */
  readonly observed: Quantity | undefined
}

export function serviceMap(
  declared: DeclaredSystem,
  work: readonly MeasuredWork[],
  minutes: number,
  { chattyCalls, maxDepth }: MapSettings = MAP_DEFAULTS,
): ServiceMap {
  const calls = callEdges(declared, work, minutes)
  const events = eventEdges(declared, work, minutes)
  const journey = journeyOf(work)
  const observed = new Set(work.map(({ service }) => service))
  const named = [...calls, ...events].flatMap(({ from, to }) => [from, to])
  const names = [...new Set([...declared.services, ...observed, ...named])]
  const gone = new Map(journey.cycles.map(({ services, traceId }) => [keyOf(fromSmallest(services)), traceId]))
  for (const services of shortestCycles(calls)) if (!gone.has(keyOf(services))) gone.set(keyOf(services), '')
  return {
    services: names.map((name) => ({ name, isDeclared: declared.services.includes(name), isObserved: observed.has(name) })),
    calls,
    events,
    chatty: journey.pairs
      .filter(({ most }) => most.calls >= chattyCalls)
      .map(({ from, to, most }) => ({ from, to, ...most }))
      .toSorted((a, b) => b.calls - a.calls),
    cycles: [...gone].map(([key, traceId]) => ({ services: key.split('\n'), traceId: traceId === '' ? undefined : traceId })),
    deep: journey.chains.filter(({ services }) => services.length - 1 > maxDepth),
  }
}

function callEdges(declared: DeclaredSystem, work: readonly MeasuredWork[], minutes: number): readonly CallEdge[] {
  const seen = Map.groupBy(
    work.filter(({ part }) => part === 'call'),
    ({ service, target }) => keyOf([service, ownerOf(target)]),
  )
  const declaredKeys = new Set(declared.calls.map(({ from, to }) => keyOf([from, to])))
  return [...new Set([...declaredKeys, ...seen.keys()])].map((key) => {
    const [from = '', to = ''] = key.split('\n')
    const own = seen.get(key)
    const operations = [...Map.groupBy(own ?? [], ({ target }) => target)].map(([name, some]) => ({ name, ...quantityOf(some, minutes) }))
    return {
      from,
      to,
      isDeclared: declaredKeys.has(key),
      observed: own === undefined ? undefined : quantityOf(own, minutes),
      operations: operations.toSorted((a, b) => b.count - a.count),
    }
  })
}

function eventEdges(declared: DeclaredSystem, work: readonly MeasuredWork[], minutes: number): readonly EventEdge[] {
  const seen = Map.groupBy(
    work.filter(({ part }) => part === 'deliver'),
    ({ service, target }) => keyOf([target, service]),
  )
  const declaredKeys = new Set(declared.events.map(({ event, to }) => keyOf([event, to])))
  // Brokers deliver all events of a service to whoever handles one of them.
  const handled = new Set(work.flatMap(({ part, service, target }) => (part === 'handle' ? [keyOf([target, service])] : [])))
  const seenKeys = [...seen.keys()].filter((key) => handled.has(key))
  return [...new Set([...declaredKeys, ...seenKeys])].map((key) => {
    const [event = '', to = ''] = key.split('\n')
    const own = seen.get(key)
    return {
      from: ownerOf(event),
      to,
      event,
      isDeclared: declaredKeys.has(key),
      observed: own === undefined ? undefined : quantityOf(own, minutes),
    }
  })
}

function keyOf(names: readonly string[]): string {
  return names.join('\n')
}

/** The same cycle, however one came upon it: from the first of its names on. */
function fromSmallest(cycle: readonly string[]): readonly string[] {
  const names = cycle.slice(0, -1)
  const first = names.indexOf(names.reduce((least, name) => (name < least ? name : least)))
  return [...names.slice(first), ...names.slice(0, first), names[first]!]
}
