/** A local call: Skerry with everything it does by default, against Moleculer with its equivalents on. */
import { startChild } from '../harness/child.ts'
import type { Candidate, Comparison } from '../harness/pairs.ts'
import { compare } from '../harness/pairs.ts'

export function benchLocalCall(pairs: number): Promise<Comparison> {
  return compare(program('Skerry', './skerry.ts'), program('Moleculer 0.15', './moleculer.ts'), pairs)
}

function program(name: string, file: string): Candidate {
  return {
    name,
    async measure() {
      await using child = await startChild<{ callsPerSecond: number }>(new URL(file, import.meta.url))
      return child.ready.callsPerSecond
    },
  }
}
