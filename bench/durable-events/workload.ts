/**
 * What both candidates do: as many events as go through while a bounded number is on its way, then 200 a second for the time that one
 * takes. An event counts from the moment at which it is given to the sender until its effect is durable at the receiver.
 */
import assert from 'node:assert/strict'
import { setTimeout as wait } from 'node:timers/promises'
import type { Latency } from '../harness/latency.ts'
import { latencyAt } from '../harness/latency.ts'

export interface Payload {
  readonly number: number
  readonly key: number
  readonly content: string
}

export interface Carrier {
  /** Sends events in one unit; resolves when the sender may forget them. */
  send(payloads: readonly Payload[]): Promise<void>
  /** Throws unless every one of the first `sent` numbers had its effect once, and in the order of its key. */
  check(sent: number): Promise<void>
}

export interface Rate {
  /** Events in one unit. */
  readonly batch: number
  readonly eventsPerSecond: number
}

export interface EventFigures {
  readonly rates: readonly Rate[]
  readonly latency: Latency
}

const KEYS = 1_000
/** Makes a body of some 600 bytes of it, most of it envelope. */
const CONTENT = 'x'.repeat(200)
const WARM_UP_SECONDS = 8
const LATENCY_SECONDS = 4
const LATENCY_PER_SECOND = 200
const PATIENCE_MS = 180_000

/** Prints the figures as the one line that the parent waits for. `connect` is given what to call with the numbers whose effects are durable. */
export async function measure(
  connect: (handled: (numbers: readonly number[]) => void) => Promise<Carrier>,
  { batches, window }: { readonly batches: readonly number[]; readonly window: number },
): Promise<void> {
  const seconds = Number(process.env['SECONDS'])
  let sent = 0
  let handled = 0
  const awaited = new Map<number, () => void>()
  const waiting: (() => void)[] = []
  const carrier = await connect((numbers) => {
    handled += numbers.length
    for (const number of numbers) awaited.get(number)?.()
    for (const go of waiting.splice(0)) go()
  })
  const send = async (count: number): Promise<void> => {
    const payloads = Array.from({ length: count }, () => ({ number: sent, key: sent++ % KEYS, content: CONTENT }))
    await carrier.send(payloads)
  }
  const drained = async (): Promise<void> => {
    for (const giveUpAt = performance.now() + PATIENCE_MS; handled < sent; await wait(1))
      assert.ok(performance.now() < giveUpAt, `only ${handled} of ${sent} events have arrived`)
  }

  const rates: Rate[] = []
  for (const batch of batches) {
    let going = true
    const senders = Array.from({ length: Math.min(SENDERS, Math.floor(window / batch)) }, async () => {
      while (going) {
        if (sent - handled + batch > window) await new Promise<void>((go) => waiting.push(go))
        else await send(batch)
      }
    })
    const counted = async (forSeconds: number): Promise<number> => {
      const [before, start] = [handled, performance.now()]
      await wait(forSeconds * 1_000)
      return (handled - before) / ((performance.now() - start) / 1_000)
    }
    await counted(Math.min(WARM_UP_SECONDS, seconds))
    rates.push({ batch, eventsPerSecond: await counted(seconds) })
    going = false
    await drained()
    for (const go of waiting.splice(0)) go()
    await Promise.all(senders)
    await drained()
  }
  const latency = await latencyAt(LATENCY_PER_SECOND, LATENCY_SECONDS, async () => {
    const arrived = new Promise<void>((resolve) => awaited.set(sent, resolve))
    await send(1)
    await arrived
  })
  await carrier.check(sent)
  const figures: EventFigures = { rates, latency }
  process.stdout.write(`${JSON.stringify(figures)}\n`)
}

/** Units being sent at once. */
const SENDERS = 32
