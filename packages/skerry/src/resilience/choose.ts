/**
 * Which of several instances a call goes to. Of two drawn at random the one that would answer sooner, by how long it has taken and how much
 * it is already at: nearly as good as the best of all, and no herd runs to it (power of two choices; Mitzenmacher, 2001).
 */
import type { Random } from '../base/random.ts'

export interface Candidate {
  /** How long it takes to answer, in milliseconds. */
  readonly latencyMs: number
  /** Calls that it has not answered yet. */
  readonly outstanding: number
  /** Its share while it warms up: 1 is a full one. */
  readonly weight: number
}

/** The index of the chosen one. There must be at least one. */
export function choose(candidates: readonly Candidate[], random: Random): number {
  if (candidates.length === 1) return 0
  const first = random.int(0, candidates.length - 1)
  const drawn = random.int(0, candidates.length - 2)
  const second = drawn < first ? drawn : drawn + 1
  return costOf(candidates[first]!) <= costOf(candidates[second]!) ? first : second
}

function costOf({ latencyMs, outstanding, weight }: Candidate): number {
  return (latencyMs * (outstanding + 1)) / weight
}
