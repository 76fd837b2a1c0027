/** A call from one process to another, each on a core of its own: Skerry's fast wire, its HTTP, and what others do. */
import { startChild } from '../harness/child.ts'
import type { Comparison } from '../harness/pairs.ts'
import { comparisonOf } from '../harness/pairs.ts'
import type { RemoteCallFigures } from './calls.ts'

export interface RemoteCalls {
  readonly name: string
  /** One per round. */
  readonly figures: readonly RemoteCallFigures[]
}

const CANDIDATES = [
  { name: 'Skerry, fast wire', file: './skerry.ts', env: { SKERRY_FAST_WIRE: 'on' } },
  { name: 'Skerry, HTTP', file: './skerry.ts', env: { SKERRY_FAST_WIRE: 'off' } },
  { name: 'Moleculer 0.15, TCP, with its policies', file: './moleculer.ts', env: { POLICIES: 'on' } },
  { name: 'Moleculer 0.15, TCP, as it comes', file: './moleculer.ts', env: {} },
  { name: '@grpc/grpc-js', file: './grpc.ts', env: {} },
  { name: 'NestJS, TCP', file: './nest.ts', env: {} },
  { name: 'undici to node:http', file: './undici.ts', env: {} },
] as const

/** All of them in turn, so many times; in the opposite order every other time. The first is what the others are compared with. */
export async function benchRemoteCalls(rounds: number): Promise<readonly RemoteCalls[]> {
  const figures = new Map<string, RemoteCallFigures[]>()
  for (let round = 0; round < rounds; round++)
    for (const candidate of round % 2 === 0 ? CANDIDATES : CANDIDATES.toReversed()) {
      const measured = await measure(candidate)
      figures.set(candidate.name, [...(figures.get(candidate.name) ?? []), measured])
      const { one, many } = measured
      process.stderr.write(
        `  ${candidate.name}: ${Math.round(one.perSecond)} calls/s one by one, ${Math.round(many.perSecond)} with 64 at once (p99 ${many.p99Ms.toFixed(2)} ms)\n`,
      )
    }
  return CANDIDATES.map(({ name }) => ({ name, figures: figures.get(name)! }))
}

/** The fast wire with each of the others, in one of the figures. */
export function compareRemoteCalls(
  [subject, ...peers]: readonly RemoteCalls[],
  figure: (figures: RemoteCallFigures) => number,
): readonly Comparison[] {
  return peers.map((peer) =>
    comparisonOf({ subject: subject!.name, peer: peer.name, subjectFigures: subject!.figures, peerFigures: peer.figures }, figure, figure),
  )
}

async function measure({ file, env }: (typeof CANDIDATES)[number]): Promise<RemoteCallFigures> {
  const url = new URL(file, import.meta.url)
  await using server = await startChild<{ address: string }>(url, { args: ['serve'], env })
  await using caller = await startChild<RemoteCallFigures>(url, { args: ['call', server.ready.address], env })
  return caller.ready
}
