/** How much goes through while a fixed number is in progress. */

/** Each of `inProgress` does one after the other for `seconds`; resolves with how many ended in a second, when all have. */
export async function throughput(
  inProgress: number,
  seconds: number,
  once: (worker: number, count: number) => Promise<void>,
): Promise<number> {
  const start = performance.now()
  const until = start + seconds * 1_000
  let ended = 0
  const untilNone = async (worker: number): Promise<void> => {
    for (let count = 0; performance.now() < until; count++) {
      await once(worker, count)
      ended++
    }
  }
  await Promise.all(Array.from({ length: inProgress }, (_, worker) => untilNone(worker)))
  return ended / ((performance.now() - start) / 1_000)
}
