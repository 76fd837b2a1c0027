/** How often work of one kind was seen, how often in vain, and how long it took. */

export interface Quantity {
  readonly count: number
  readonly perMinute: number
  /** From 0 to 1. */
  readonly errorShare: number
  readonly p50Ms: number
  readonly p95Ms: number
}

/** Of at least one piece of work, seen in so many minutes. */
export function quantityOf(work: readonly { readonly durationMs: number; readonly failed: boolean }[], minutes: number): Quantity {
  const durations = work.map(({ durationMs }) => durationMs).toSorted((a, b) => a - b)
  const at = (share: number): number => durations[Math.ceil(share * durations.length) - 1] ?? 0
  return {
    count: work.length,
    perMinute: work.length / minutes,
    errorShare: work.filter(({ failed }) => failed).length / work.length,
    p50Ms: at(0.5),
    p95Ms: at(0.95),
  }
}
