/** The boundary to identifiers. An id is a UUIDv7 (RFC 9562, section 5.7): unique, hard to guess, and sorted by creation. */
import type { Clock } from './clock.ts'
import type { Random } from './random.ts'

export type NewId = () => string

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const MAX_COUNTER = 0xfff

/** A source of UUIDv7s on the given clock and randomness. Within one millisecond a counter keeps the order (method 1 of section 6.2). */
export function idSource(clock: Clock, random: Random): NewId {
  let lastMs = 0
  let counter = 0
  return () => {
    const nowMs = clock.nowMs()
    if (nowMs > lastMs) {
      lastMs = nowMs
      counter = random.int(0, MAX_COUNTER >> 1)
    } else if (++counter > MAX_COUNTER) {
      lastMs += 1
      counter = 0
    }
    const timeHigh = Math.floor(lastMs / 0x10000)
    const timeLow = lastMs % 0x10000
    const byte = (value: number): string => HEX[value & 0xff]!
    const tail = Array.from({ length: 7 }, () => byte(random.int(0, 255))).join('')
    return (
      `${byte(timeHigh >>> 24)}${byte(timeHigh >>> 16)}${byte(timeHigh >>> 8)}${byte(timeHigh)}-${byte(timeLow >>> 8)}${byte(timeLow)}` +
      `-${byte(0x70 | (counter >>> 8))}${byte(counter)}-${byte(0x80 | random.int(0, 63))}${tail.slice(0, 2)}-${tail.slice(2)}`
    )
  }
}
