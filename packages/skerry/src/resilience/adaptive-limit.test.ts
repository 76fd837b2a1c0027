import { describe, expect, it } from 'vitest'
import { ADAPTIVE_LIMIT_DEFAULTS, AdaptiveLimit } from './adaptive-limit.ts'

const SMALL = { ...ADAPTIVE_LIMIT_DEFAULTS, initial: 20, min: 8 }

/** Lets so many windows pass in which a server takes `serviceMs` for each of up to `capacity` at once, and more when more are let in. */
function serve(
  limit: AdaptiveLimit,
  server: { serviceMs: number; capacity: number; wanted: number },
  windows: number,
  startMs: number,
): number {
  let nowMs = startMs
  for (let window = 0; window < windows; window++)
    for (let answer = 0; answer < 20; answer++) {
      const atOnce = Math.min(server.wanted, limit.limit)
      nowMs += 100
      limit.record(server.serviceMs * Math.max(1, atOnce / server.capacity), atOnce, nowMs)
    }
  return nowMs
}

describe('the adaptive limit', () => {
  it('begins with a modest number', () => {
    expect(new AdaptiveLimit().limit).toBe(100)
  })

  it('grows as long as answers take no longer than usual', () => {
    const limit = new AdaptiveLimit(SMALL)
    serve(limit, { serviceMs: 10, capacity: 200, wanted: 1_000 }, 200, 0)
    expect(limit.limit).toBeGreaterThan(120)
  })

  it('stays where it is while little is asked for', () => {
    const limit = new AdaptiveLimit(SMALL)
    serve(limit, { serviceMs: 10, capacity: 200, wanted: 5 }, 200, 0)
    expect(limit.limit).toBe(20)
  })

  it('shrinks when answers take longer, and grows again afterwards', () => {
    const limit = new AdaptiveLimit(SMALL)
    let nowMs = serve(limit, { serviceMs: 10, capacity: 100, wanted: 1_000 }, 100, 0)
    const before = limit.limit
    nowMs = serve(limit, { serviceMs: 100, capacity: 10, wanted: 1_000 }, 20, nowMs)
    const during = limit.limit
    serve(limit, { serviceMs: 10, capacity: 100, wanted: 1_000 }, 100, nowMs)
    expect(during).toBeLessThan(before / 2)
    expect(limit.limit).toBeGreaterThan(during * 2)
  })

  it('keeps within its bounds', () => {
    const limit = new AdaptiveLimit({ ...ADAPTIVE_LIMIT_DEFAULTS, min: 10, max: 30 })
    const nowMs = serve(limit, { serviceMs: 10, capacity: 1_000, wanted: 1_000 }, 200, 0)
    expect(limit.limit).toBe(30)
    let later = nowMs
    for (let window = 0; window < 20; window++)
      later = serve(limit, { serviceMs: 10 * 3 ** Math.min(window, 8), capacity: 1_000, wanted: 1_000 }, 2, later)
    expect(limit.limit).toBe(10)
  })

  it('does not change for one slow answer', () => {
    const limit = new AdaptiveLimit(SMALL)
    serve(limit, { serviceMs: 10, capacity: 200, wanted: 1_000 }, 20, 0)
    const before = limit.limit
    limit.record(5_000, before, 40_001)
    expect(limit.limit).toBe(before)
  })
})
