/** The calling process of every candidate: calls one after the other and 64 at once, checks the answers and prints what it has measured. */
import assert from 'node:assert/strict'
import type { PlacedOrder } from '../http-operation/order.ts'
import { SAMPLE, SAMPLE_TOTAL_CENTS, totalOf } from '../http-operation/order.ts'

export interface CallFigures {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Of the calling process alone. */
  readonly microsecondsOfProcessor: number
}

export interface RemoteCallFigures {
  readonly one: CallFigures
  readonly many: CallFigures
}

export interface OrderAnswer {
  readonly id: number
  readonly status: string
  readonly totalCents: number
}

export const MANY_AT_ONCE = 64
const WARM_UP_SECONDS = 2
const SECONDS = 4

/** What the candidates refuse when they validate; `call` rejects then. */
const INVALID = { ...SAMPLE, customer: 7 } as unknown as PlacedOrder

/** Measures `call` and prints the figures as one line of JSON. `validates`: it must refuse what is not an order. */
export async function reportCalls(call: (order: PlacedOrder) => Promise<OrderAnswer>, validates: boolean): Promise<void> {
  if (validates) await assert.rejects(call(INVALID), 'it takes what is not an order')
  await measure(call, MANY_AT_ONCE, WARM_UP_SECONDS)
  const figures: RemoteCallFigures = { one: await measure(call, 1, SECONDS), many: await measure(call, MANY_AT_ONCE, SECONDS) }
  process.stdout.write(`${JSON.stringify(figures)}\n`)
}

async function measure(call: (order: PlacedOrder) => Promise<OrderAnswer>, atOnce: number, seconds: number): Promise<CallFigures> {
  const tookMs: number[] = []
  const processor = process.cpuUsage()
  const start = performance.now()
  const until = start + seconds * 1_000
  const oneAfterTheOther = async (): Promise<void> => {
    for (let begunMs = performance.now(); begunMs < until;) {
      const answer = await call(SAMPLE)
      const endedMs = performance.now()
      tookMs.push(endedMs - begunMs)
      begunMs = endedMs
      assert.equal(answer.totalCents, SAMPLE_TOTAL_CENTS)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, oneAfterTheOther))
  const perSecond = tookMs.length / ((performance.now() - start) / 1_000)
  const { user, system } = process.cpuUsage(processor)
  tookMs.sort((a, b) => a - b)
  const percentile = (part: number): number => tookMs[Math.floor(tookMs.length * part)]!
  return { perSecond, p50Ms: percentile(0.5), p99Ms: percentile(0.99), microsecondsOfProcessor: (user + system) / tookMs.length }
}

/** Answers as every candidate does. */
export function placed(order: PlacedOrder): OrderAnswer {
  return { id: order.id, status: 'created', totalCents: totalOf(order.lines) }
}
