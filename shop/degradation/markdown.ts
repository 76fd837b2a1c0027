/** The table of degradation as docs/shop.md shows it: a test holds them together. */
import type { Journey, Part } from './table.ts'
import { degradation, JOURNEYS, outcomeOf } from './table.ts'

/** Its lines, cell by cell. */
export function degradationRows(): readonly (readonly string[])[] {
  const journeys = (Object.keys(JOURNEYS) as Journey[]).filter((journey) => journey !== 'later')
  const heading = ['stopped or hung', ...journeys.map((journey) => journey.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`))]
  const rows = (Object.keys(degradation) as Part[]).map((part) => [
    part,
    ...journeys.map((journey) => {
      const outcomes = new Set([outcomeOf(part, 'stopped', journey), outcomeOf(part, 'hung', journey)])
      const slow = outcomeOf(part, 'slow', journey)
      return [...outcomes].join(' or ') + (slow === 'whole' ? '' : ', also when it is slow')
    }),
  ])
  return [heading, ...rows]
}
