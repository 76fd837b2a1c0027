/** What both candidates do: many streams, some writers, each append on the version before it; then the read model is checked and built anew. */
import assert from 'node:assert/strict'
import { throughput } from '../harness/throughput.ts'

export interface Store {
  /** Appends one event to a stream, decided on the version that it has. */
  append(id: string): Promise<void>
  /** Resolves when every event is numbered and applied. */
  caughtUp(): Promise<void>
  /** Builds the read model from the first event; resolves when it answers. */
  rebuild(): Promise<void>
  /** Events that the read model has counted. */
  count(): Promise<number>
}

const WRITERS = 8
const STREAMS = 500
const WARM_UP_SECONDS = 1

export async function measure(store: Store): Promise<void> {
  const seconds = Number(process.env['SECONDS'])
  let appended = 0
  const write = (forSeconds: number): Promise<number> =>
    throughput(WRITERS, forSeconds, async (writer, n) => {
      // Each writer has streams of its own, so that what is measured is the append and not who wins.
      await store.append(`${writer}-${n % (STREAMS / WRITERS)}`)
      appended++
    })
  await write(Math.min(WARM_UP_SECONDS, seconds))
  const appendsPerSecond = await write(seconds)
  await store.caughtUp()
  assert.equal(await store.count(), appended, 'the read model has not counted every event once')
  const start = performance.now()
  await store.rebuild()
  const rebuiltPerSecond = appended / ((performance.now() - start) / 1_000)
  assert.equal(await store.count(), appended, 'the read model built anew has not counted every event once')
  process.stdout.write(`${JSON.stringify({ appendsPerSecond, rebuiltPerSecond })}\n`)
}
