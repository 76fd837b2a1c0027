/** Waiting on a condition instead of on time: asks again and again, and gives up with what it last knew. */

const pollEveryMs = 20

/**
 * Resolves with the first value of `condition` that is not undefined. An error thrown by `condition` ends the wait.
 * After `timeoutMs` it rejects, naming what was awaited and whatever `detail` (a log's tail, say) has to add.
 */
export async function waitUntil<T>(
  awaited: string,
  timeoutMs: number,
  condition: () => Promise<T | undefined>,
  detail: () => Promise<string> = async () => '',
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs
  for (;;) {
    const value = await condition()
    if (value !== undefined) return value
    if (performance.now() > deadlineMs) throw new Error(`Waited ${timeoutMs} ms in vain until ${awaited}. ${await detail()}`.trim())
    await new Promise((resolve) => setTimeout(resolve, pollEveryMs))
  }
}
