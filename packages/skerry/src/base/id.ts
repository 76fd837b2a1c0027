/** The boundary to identifiers. An id is a UUIDv7 (RFC 9562, section 5.7): unique, hard to guess, and sorted by creation. */
import type { Clock } from './clock.ts'
import type { Random } from './random.ts'

export type NewId = () => string

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const MAX_COUNTER = 0xfff

/**
 * A source of UUIDv7s on the given clock and randomness. Within one millisecond a counter keeps the order (method 1 of
 * section 6.2); when it is full, or the clock was set back, ids run ahead of the clock rather than out of order.
 */
export function idSource(clock: Clock, random: Random): NewId {
  let lastMs = 0
  let counter = 0
  return () => {
    const nowMs = Math.floor(clock.nowMs())
    if (nowMs > lastMs) {
      lastMs = nowMs
      counter = random.int(0, MAX_COUNTER >> 1)
    } else if (++counter > MAX_COUNTER) {
      lastMs += 1
      counter = 0
    }
    return format(lastMs, counter, random.int(0, 0x3fff_ffff), random.int(0, 0xffff_ffff))
  }
}

/** 48 bits of time, 4 of version, 12 of counter, 2 of variant, 30 + 32 random ones. */
function format(timeMs: number, counter: number, random30: number, random32: number): string {
  const timeHigh = Math.floor(timeMs / 0x1_0000)
  return (
    `${byte(timeHigh >>> 24)}${byte(timeHigh >>> 16)}${byte(timeHigh >>> 8)}${byte(timeHigh)}-${byte(timeMs / 0x100)}${byte(timeMs)}` +
    `-${byte(0x70 | (counter >>> 8))}${byte(counter)}-${byte(0x80 | (random30 >>> 24))}${byte(random30 >>> 16)}` +
    `-${byte(random30 >>> 8)}${byte(random30)}${byte(random32 >>> 24)}${byte(random32 >>> 16)}${byte(random32 >>> 8)}${byte(random32)}`
  )
}

function byte(value: number): string {
  return HEX[value & 0xff]!
}
