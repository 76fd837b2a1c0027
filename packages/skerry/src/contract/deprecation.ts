/** An operation that is on its way out: since when callers should move on, and from when it may be gone. */

export interface Deprecation {
  /** The day from which callers should use something else, such as `2026-11-01`. */
  readonly since: string
  /** The day from which it may be gone. */
  readonly sunset?: string
  /** What to use instead, in a few words for the API reference. */
  readonly instead?: string
}

const DAY = /^\d{4}-\d{2}-\d{2}$/

/** What is wrong with a declaration. */
export function mistakesInDeprecation({ since, sunset }: Deprecation): readonly string[] {
  const days = [since, ...(sunset === undefined ? [] : [sunset])]
  const wrong = days.filter((day) => !isDay(day)).map((day) => `"${day}" is not a day such as 2026-11-01`)
  if (wrong.length === 0 && sunset !== undefined && sunset < since)
    wrong.push(`it may be gone on ${sunset}, before it is deprecated on ${since}`)
  return wrong
}

/** The headers of every answer: Deprecation (RFC 9745) and Sunset (RFC 8594). */
export function deprecationHeaders({ since, sunset }: Deprecation): Readonly<Record<string, string>> {
  return {
    deprecation: `@${Date.parse(since) / 1_000}`,
    ...(sunset === undefined ? {} : { sunset: new Date(sunset).toUTCString() }),
  }
}

/** For people who read the API reference. */
export function deprecationText({ since, sunset, instead }: Deprecation): string {
  const gone = sunset === undefined ? '' : `, may be gone from ${sunset} on`
  return `Deprecated since ${since}${gone}.${instead === undefined ? '' : ` Instead: ${instead}`}`
}

function isDay(text: string): boolean {
  // 2026-02-30 is read as a day of March.
  return DAY.test(text) && !Number.isNaN(Date.parse(text)) && new Date(text).toISOString().startsWith(text)
}
