/** What each policy costs: in nanoseconds, and as a share of a whole call in the process and of one to another process, measured in the same run. */
import { startChild } from '../harness/child.ts'
import { medianOf } from '../harness/pairs.ts'
import type { RemoteCallFigures } from '../remote-call/calls.ts'
import type { PolicyName } from './policies.ts'

export type PolicyNanoseconds = Readonly<Record<PolicyName | 'link', number>>

export interface PolicyCosts {
  readonly policies: PolicyNanoseconds
  readonly localCallNanoseconds: number
  /** Of one call after the other, over the fast wire and over HTTP. */
  readonly fastWireNanoseconds: number
  readonly httpNanoseconds: number
}

export async function benchPolicies(rounds: number): Promise<PolicyCosts> {
  const all: PolicyCosts[] = []
  for (let round = 0; round < rounds; round++) {
    await using policies = await startChild<PolicyNanoseconds>(new URL('./policies.ts', import.meta.url))
    await using local = await startChild<{ callsPerSecond: number }>(new URL('../local-call/skerry.ts', import.meta.url))
    all.push({
      policies: policies.ready,
      localCallNanoseconds: 1e9 / local.ready.callsPerSecond,
      fastWireNanoseconds: await remote('on'),
      httpNanoseconds: await remote('off'),
    })
    process.stderr.write(`  round ${round + 1}/${rounds}: ${Math.round(all.at(-1)!.policies.default)} ns for all that is on by default\n`)
  }
  const median = (of: (costs: PolicyCosts) => number): number => medianOf(all.map(of))
  const names = Object.keys(all[0]!.policies) as (keyof PolicyNanoseconds)[]
  return {
    policies: Object.fromEntries(names.map((name) => [name, median(({ policies }) => policies[name])])) as unknown as PolicyNanoseconds,
    localCallNanoseconds: median((costs) => costs.localCallNanoseconds),
    fastWireNanoseconds: median((costs) => costs.fastWireNanoseconds),
    httpNanoseconds: median((costs) => costs.httpNanoseconds),
  }
}

async function remote(fastWire: 'on' | 'off'): Promise<number> {
  const file = new URL('../remote-call/skerry.ts', import.meta.url)
  const env = { SKERRY_FAST_WIRE: fastWire }
  await using server = await startChild<{ address: string }>(file, { args: ['serve'], env })
  await using caller = await startChild<RemoteCallFigures>(file, { args: ['call', server.ready.address], env })
  return 1e9 / caller.ready.one.perSecond
}
