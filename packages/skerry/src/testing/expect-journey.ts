/** A budget for what a journey of a user costs in calls and events: the test fails when the journey becomes dearer. */
import type { JourneyBudget } from '../telemetry/journey-budget.ts'
import { overBudget } from '../telemetry/journey-budget.ts'
import { journeyOf } from '../telemetry/journey.ts'
import type { Journey } from '../telemetry/journey.ts'
import { tracedWork } from '../telemetry/part.ts'
import type { SpanRecord } from '../telemetry/span.ts'

/**
 * Throws, naming who calls whom how often, when all that these spans record costs more than the budget; else tells what it costs.
 *
 * @example
 * const before = app.spans().length
 * await browse()
 * expectJourney(app.spans().slice(before), { calls: 12, depth: 3 })
 */
export function expectJourney(spans: readonly SpanRecord[], budget: JourneyBudget): Journey {
  const journey = journeyOf(spans.map(tracedWork))
  // A journey that nobody has taken keeps to every budget.
  if (spans.length === 0) throw new Error('No span was recorded: take the journey first, and give what app.spans() has of it')
  const over = overBudget(journey, budget)
  if (over.length > 0) throw new Error(`This journey is over its budget:\n${over.map((text) => `  - ${text}`).join('\n')}`)
  return journey
}
