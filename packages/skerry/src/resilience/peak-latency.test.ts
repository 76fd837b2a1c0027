import { describe, expect, it } from 'vitest'
import { PeakLatency } from './peak-latency.ts'

describe('the latency of an instance', () => {
  it('is a guess before the first answer', () => {
    expect(new PeakLatency(0).averageMs(0)).toBe(30)
  })

  it('jumps to a slower answer, and comes down slowly', () => {
    const latency = new PeakLatency(0, { decayMs: 1_000, seedMs: 10 })
    latency.record(500, 0)
    expect(latency.averageMs(0)).toBe(500)
    latency.record(10, 100)
    expect(latency.averageMs(100)).toBeCloseTo(500 * Math.exp(-0.1) + 10 * (1 - Math.exp(-0.1)), 6)
  })

  it('decays when nothing is heard, so that it is tried again', () => {
    const latency = new PeakLatency(0, { decayMs: 1_000, seedMs: 10 })
    latency.record(5_000, 0)
    expect(latency.averageMs(1_000)).toBeCloseTo(5_000 / Math.E, 6)
    expect(latency.averageMs(20_000)).toBeLessThan(0.001)
  })

  it('does not grow when the clock is set back', () => {
    const latency = new PeakLatency(10_000, { decayMs: 1_000, seedMs: 10 })
    expect(latency.averageMs(0)).toBe(10)
  })
})
