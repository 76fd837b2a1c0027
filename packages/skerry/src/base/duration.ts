/** Durations as people write them: `'250ms'`, `'2s'`, `'5m'`, `'1h'`, `'14d'`. Inside the platform they are numbers of milliseconds. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const FORM = /^(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)$/

/** The number of milliseconds in a duration, to the microsecond. Throws a `TypeError` that names the accepted form. */
export function milliseconds(duration: Duration): number {
  const match = FORM.exec(duration)
  if (match === null)
    throw new TypeError(
      `"${duration}" is not a duration: write a number below a thousand million and a unit, such as 250ms, 1.5s, 5m, 1h or 14d`,
    )
  const exact = Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]
  // 8.2 minutes are 492 000 ms, not the 491 999.99999999994 that binary fractions make of them.
  return Number.isInteger(exact) ? exact : Math.round(exact * 1_000) / 1_000
}
