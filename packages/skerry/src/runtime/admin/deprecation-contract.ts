/** The operation of the admin API for what is on its way out: which operations are deprecated, and who still calls them. */
import { get } from '../../contract/operation.ts'
import type { PlainSchema } from '../../contract/plain-schema.ts'
import { flag, list, nullable, object, optional, text, whole } from '../../contract/plain-schema.ts'
import { problem } from '../../contract/problem.ts'

const time = text({ format: 'date-time' })
const name = text({ maxLength: 1_000 })

const DeprecatedOperation = object({
  service: name,
  operation: name,
  since: text({ description: 'A day, such as 2026-11-01' }),
  sunset: nullable(text({ description: 'The day from which it may be gone' })),
  instead: nullable(text()),
  isCounted: flag('Whether its calls are counted: they are not where the service has no database'),
  callers: list(
    object({
      caller: text({
        description:
          'What it calls itself in User-Agent, its first two products; "(unnamed)" when it does not, "(others)" for all beyond a hundred',
      }),
      calls: whole({ description: 'As far as they are written: up to some seconds ago' }),
      firstAt: time,
      lastAt: time,
    }),
  ),
})

const serviceNotFound = problem(404, 'This host does not run such a service')

export const deprecationOperations = {
  listDeprecatedOperations: get('/deprecated-operations', {
    input: object({ service: optional(name) }),
    output: object({ operations: list(DeprecatedOperation) }),
    errors: { serviceNotFound },
    deadline: '30s',
    summary: 'Deprecated operations, and who still calls them, the last caller of each first',
  }),
}

type ValueOf<S> = S extends PlainSchema<infer T> ? T : never
export type DeprecatedOperationView = ValueOf<typeof DeprecatedOperation>
