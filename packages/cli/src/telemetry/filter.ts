/** Options of the commands that read recent telemetry, as its API takes them. */

/** When that was, in words. */
export function sinceTime(agoMs: number | undefined, clock: { nowMs(): number }): string | undefined {
  return agoMs === undefined ? undefined : new Date(clock.nowMs() - agoMs).toISOString()
}

/** Without what was not given: an option that is undefined is not one that is missing. */
export function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}
