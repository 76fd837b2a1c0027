/** Waiting on a condition instead of on time: asks again and again, and gives up with what it last knew. */

const POLL_EVERY_MS = 20

/**
 * Resolves with the first value of `condition` that is not undefined. An error thrown by `condition` ends the wait.
 * After `timeoutMs` it rejects, naming what was awaited and whatever `detail` (a log's tail, say) has to add. With `doubling`, the time
 * until it asks again starts there and doubles: for a condition that cannot be looked at without disturbing what it waits for.
 */
export async function waitUntil<T>(
  awaited: string,
  timeoutMs: number,
  condition: () => Promise<T | undefined>,
  detail: () => Promise<string> = async () => '',
  { doubling }: { readonly doubling?: number } = {},
): Promise<T> {
  let pollMs = doubling ?? POLL_EVERY_MS
  const deadlineMs = performance.now() + timeoutMs
  for (;;) {
    const value = await condition()
    if (value !== undefined) return value
    if (performance.now() > deadlineMs) throw new Error(`Waited ${timeoutMs} ms in vain until ${awaited}. ${await detail()}`.trim())
    await new Promise((resolve) => setTimeout(resolve, pollMs))
    if (doubling !== undefined) pollMs *= 2
  }
}
