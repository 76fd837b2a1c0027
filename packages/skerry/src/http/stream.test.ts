import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import { createLog } from '../telemetry/log.ts'
import { startHttpServer } from './server.ts'

const PART = 'x'.repeat(65_536)
const PARTS = 2_000

/** A listener with one stream of far more than the network takes at once, and how far it has come. */
async function scene() {
  const made = { parts: 0, ended: false }
  const clock = new VirtualClock()
  async function* parts(ended: AbortSignal): AsyncIterable<string> {
    try {
      while (made.parts < PARTS && !ended.aborted) {
        made.parts++
        yield PART
      }
    } finally {
      made.ended = true
    }
  }
  const server = await startHttpServer({
    port: 0,
    clock,
    log: createLog({ level: 'silent' }),
    routes: [
      {
        method: 'GET',
        path: '/stream',
        target: { takesBody: false, handle: async () => ({ status: 200, body: undefined, stream: parts }) },
      },
      { method: 'GET', path: '/made', target: { takesBody: false, handle: async () => ({ status: 200, body: { ...made } }) } },
    ],
  })
  onTestFinished(() => server.close(AbortSignal.abort()))
  const [answer] = (await once(request(`${server.url}/stream`).end(), 'response')) as [IncomingMessage]
  onTestFinished(() => void answer.destroy())
  return {
    made,
    clock,
    server,
    answer,
    askOften: async () => {
      for (let time = 0; time < 100; time++) await (await fetch(`${server.url}/made`)).json()
    },
  }
}

test('a stream waits for whoever reads it, and then goes on to its end', async () => {
  const { made, answer, askOften } = await scene()
  await askOften()
  expect(made.parts).toBeLessThan(PARTS)
  let bytes = 0
  for await (const chunk of answer) bytes += (chunk as Buffer).length
  expect(bytes).toBe(PARTS * PART.length)
  expect(made.ended).toBe(true)
})

test('a stream ends when its reader has gone, also one that was waited for', async () => {
  const { made, answer, askOften } = await scene()
  await askOften()
  answer.destroy()
  await expect.poll(() => made.ended).toBe(true)
  expect(made.parts).toBeLessThan(PARTS)
})

test('a stream that is waited for does not keep a listener from closing', async () => {
  const { made, server, answer } = await scene()
  const closed = server.close(new AbortController().signal)
  await expect.poll(() => made.ended).toBe(true)
  answer.resume()
  await closed
})

test('whoever takes nothing for a minute is cut off, and no sooner', async () => {
  const { made, clock, answer, askOften } = await scene()
  await askOften()
  await clock.advance(59_000)
  await askOften()
  expect(made.ended).toBe(false)
  await clock.advance(1_000)
  await expect.poll(() => made.ended).toBe(true)
  expect(made.parts).toBeLessThan(PARTS)
  await expect(once(answer.resume(), 'end')).rejects.toMatchObject({ code: 'ECONNRESET' })
})
