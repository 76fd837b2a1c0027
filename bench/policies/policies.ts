/** What each policy adds to a call: calls over a link that answers at once, with one policy more or less; printed in nanoseconds a call. */
import assert from 'node:assert/strict'
import type { CallResponse, Client, DependencyPolicies, InstanceLink, Link } from 'skerry/client'
import { createClient, Dependency, using } from 'skerry/client'
import { contract, get } from 'skerry/contract'
import { systemClock, systemRandom } from 'skerry/engine'
import { createTelemetry } from 'skerry/runtime'
import { z } from 'zod'

const things = contract('things', {
  version: '1.0.0',
  operations: { find: get('/things/{id}', { input: z.object({ id: z.int() }), output: z.object({ id: z.int(), name: z.string() }) }) },
})

const ANSWER: CallResponse = { ok: true, output: { id: 7, name: 'kettle' } }
const link: Link = { send: async () => ANSWER, close: async () => {} }
const ROUNDS = 7
const CALLS = 100_000

interface Variant {
  readonly instances?: number
  readonly telemetry?: boolean
  readonly policies?: DependencyPolicies<typeof things>
}

function clientOf({ instances = 1, telemetry = false, policies }: Variant): Client<typeof things> {
  const options = { clock: systemClock, random: systemRandom }
  const links = Array.from({ length: instances }, (_, index): InstanceLink => ({ id: String(index), link }))
  return createClient(things, {
    ...options,
    dependency: new Dependency(options, links),
    ...(telemetry ? { telemetry: createTelemetry({ ...options, onSpan: () => undefined }).of('bench') } : {}),
    ...(policies === undefined ? {} : { using: using(things, policies) }),
  })
}

const VARIANTS = {
  default: {},
  balancing: { instances: 3 },
  telemetry: { telemetry: true },
  maxConcurrent: { policies: { maxConcurrent: 100 } },
  breaker: { policies: { breaker: { failures: 3 } } },
  lastKnown: { policies: { operations: { find: { lastKnown: true } } } },
  fallback: { policies: { operations: { find: { fallback: () => ({ id: 0, name: 'none' }) } } } },
  hedge: { instances: 2, policies: { operations: { find: { hedge: true } } } },
} as const satisfies Record<string, Variant>

export type PolicyName = keyof typeof VARIANTS

async function nanoseconds(call: () => Promise<unknown>): Promise<number> {
  const start = process.hrtime.bigint()
  for (let n = 0; n < CALLS; n++) await call()
  return Number(process.hrtime.bigint() - start) / CALLS
}

const calls: readonly (readonly [string, () => Promise<unknown>])[] = [
  ['link', () => link.send(undefined as never)],
  ...Object.entries<Variant>(VARIANTS).map(([name, variant]) => {
    const client = clientOf(variant)
    return [name, () => client.find({ id: 7 })] as const
  }),
]
const figures = new Map<string, number[]>()
for (let round = 0; round < ROUNDS; round++)
  for (const [name, call] of calls) {
    if (name !== 'link') assert.deepEqual(await call(), { id: 7, name: 'kettle' })
    figures.set(name, [...(figures.get(name) ?? []), await nanoseconds(call)])
  }
// The first round warms up.
const medians = Object.fromEntries(
  [...figures].map(([name, all]) => [name, all.slice(1).toSorted((a, b) => a - b)[Math.floor((ROUNDS - 1) / 2)]]),
)
process.stdout.write(`${JSON.stringify(medians)}\n`)
