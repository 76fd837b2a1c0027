/** The index of Consul's blocking queries: which one to wait behind next. Its documentation says how it may jump. */

/** The next one; 0 does not wait. `given`: the header X-Consul-Index. */
export function nextIndex(before: number, given: string | string[] | undefined): number {
  const index = Number(given)
  // Without a usable one there is nothing to wait behind; one that goes backwards is of a server that was restored: begin anew.
  if (!Number.isSafeInteger(index) || index < before) return 0
  // One of 0 would not wait, and be asked for again at once.
  return Math.max(1, index)
}
