/** What a journey may cost in calls and events, and what it costs too much, said so that one sees where. */
import type { Chain, Journey } from './journey.ts'

export interface JourneyBudget {
  /** Calls from one service to another, the gateway's among them. */
  readonly calls?: number
  /** Calls of one service by another within one trace. */
  readonly callsOfOnePair?: number
  /** Calls within each other. */
  readonly depth?: number
  readonly events?: number
  /** Calls that come round to a service that waits already. Default: none. */
  readonly cycles?: number
}

/** One text for each limit that is passed; none when the journey keeps to its budget. */
export function overBudget(journey: Journey, budget: JourneyBudget): readonly string[] {
  const { calls = Infinity, callsOfOnePair = Infinity, depth = Infinity, events = Infinity, cycles = 0 } = budget
  const over: string[] = []
  if (journey.calls > calls) over.push(`${counted(journey.calls, 'call')}, and it may make ${calls}${journey.pairs.map(pairLine).join('')}`)
  const chatty = journey.pairs.filter(({ most }) => most.calls > callsOfOnePair)
  if (chatty.length > 0)
    over.push(
      `more than ${counted(callsOfOnePair, 'call')} of one service by another in one trace${chatty
        .map((pair) => `\n      ${pair.from} → ${pair.to}: ${pair.most.calls} in trace ${pair.most.traceId}`)
        .join('')}`,
    )
  if (journey.depth > depth)
    over.push(
      `calls lie ${journey.depth} deep, and may lie ${depth}${journey.chains
        .filter(({ services }) => services.length - 1 > depth)
        .map(chainLine)
        .join('')}`,
    )
  if (journey.events > events) over.push(`${counted(journey.events, 'event')}, and it may emit ${events}`)
  if (journey.cycles.length > cycles)
    over.push(
      `${counted(journey.cycles.length, 'cycle')} of calls, and there may be ${cycles === 0 ? 'none' : cycles}${journey.cycles.map(chainLine).join('')}`,
    )
  return over
}

function pairLine({ from, to, calls, operations }: Journey['pairs'][number]): string {
  const named = operations.map((one) => (one.calls === 1 ? one.name : `${one.name} ${one.calls} times`)).join(', ')
  return `\n      ${from} → ${to}: ${calls} (${named})`
}

function chainLine({ services }: Chain): string {
  return `\n      ${services.join(' → ')}`
}

function counted(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}
