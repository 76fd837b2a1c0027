/** The tables of the results page that put several figures of one thing side by side. */
import type { PolicyCosts } from './policies/bench.ts'
import type { WayFigures } from './shop-ways/bench.ts'

const POLICIES = {
  default: 'all that is on by default: deadline, limit, retry budget, circuit breaker',
  balancing: 'the same with three instances to choose from',
  telemetry: 'the same with telemetry recorded',
  maxConcurrent: "the same with a limit of the caller's own (`maxConcurrent`)",
  breaker: "the same with a circuit breaker of the caller's own",
  lastKnown: 'the same with `lastKnown`',
  fallback: 'the same with a `fallback` (not used)',
  hedge: 'the same with `hedge` (not used) and two instances',
} as const

export function policyTable({ policies, localCallNanoseconds, fastWireNanoseconds, httpNanoseconds }: PolicyCosts): readonly string[] {
  const share = (nanoseconds: number, of: number): string => `${((100 * nanoseconds) / of).toFixed(1)} %`
  return [
    '| what the policies of a call cost | nanoseconds | of a local call | of one over the fast wire | of one over HTTP |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...Object.entries(POLICIES).map(([name, what]) => {
      const nanoseconds = policies[name as keyof typeof POLICIES] - policies.link
      const shares = [localCallNanoseconds, fastWireNanoseconds, httpNanoseconds].map((whole) => share(nanoseconds, whole))
      return `| ${what} | ${Math.round(nanoseconds)} | ${shares.join(' | ')} |`
    }),
    `| a whole call, one after the other | | ${[localCallNanoseconds, fastWireNanoseconds, httpNanoseconds].map((whole) => `${Math.round(whole)} ns`).join(' | ')} |`,
    '',
  ]
}

export function waysTable(ways: readonly WayFigures[]): readonly string[] {
  return [
    '| the shop on PostgreSQL | browse, p50 | p99 | processor | order, p50 | p99 | processor, until it is paid and sent |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...ways.map(({ name, browse, checkout }) => {
      const cells = [browse, checkout].flatMap(({ p50Ms, p99Ms, processorMs }) => [p50Ms, p99Ms, processorMs])
      return `| ${name} | ${cells.map((ms) => `${ms.toFixed(2)} ms`).join(' | ')} |`
    }),
    '',
  ]
}
