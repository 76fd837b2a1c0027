/**
 * The contract of the admin API: what people may see of events, sagas, deprecated operations and recent telemetry, and do with them. It is served on
 * a listener of its own.
 */
import { contract } from '../../contract/contract.ts'
import { get, post } from '../../contract/operation.ts'
import type { PlainSchema } from '../../contract/plain-schema.ts'
import { choice, flag, list, nullable, object, optional, text, whole } from '../../contract/plain-schema.ts'
import { problem } from '../../contract/problem.ts'
import { deprecationOperations } from './deprecation-contract.ts'
import { faultOperations } from './fault-contract.ts'
import { sagaOperations } from './saga-contract.ts'
import { telemetryOperations } from './telemetry-contract.ts'

export const CAUSES = ['undecodable', 'undeclared', 'invalid', 'overtaken', 'rejected', 'exhausted'] as const
/** Letters, or sagas, that one request acts on or shows; more are asked for page by page. */
export const MAX_PAGE = 200

const id = text({ format: 'uuid' })
const time = text({ format: 'date-time' })
const name = text({ maxLength: 1_000 })

const letter = {
  id,
  /** The consuming service. */
  service: name,
  messageId: name,
  topic: name,
  type: name,
  source: name,
  key: name,
  sequence: nullable(whole()),
  cause: choice(CAUSES),
  error: text(),
  errorHash: text(),
  attempts: whole(),
  traceId: nullable(text()),
  diedAt: time,
}
const Letter = object(letter)
const WholeLetter = object({
  ...letter,
  stack: nullable(text()),
  body: text({ description: 'The message as it came, a CloudEvent where it is one' }),
})

const filter = {
  service: optional(name),
  cause: optional(choice(CAUSES)),
  error: optional(text({ maxLength: 100, description: 'The error hash: the same for failures of the same kind' })),
  type: optional(name),
  key: optional(name),
}
const page = {
  after: optional(text({ maxLength: 300, description: 'The `next` of the page before' })),
  limit: optional(whole({ minimum: 1, maximum: MAX_PAGE })),
}
const act = {
  by: text({ maxLength: 200, description: 'Who does it, for the audit' }),
  note: optional(text({ maxLength: 2_000, description: 'Why, for the audit' })),
}
const outOfOrder = optional(flag('Also events whose key has gone on without them: they are handled out of order'))
const many = {
  ...filter,
  ...page,
  ...act,
  diedUntil: optional({ ...time, json: { ...time.json, description: 'Leaves out what died later, such as what is dead again' } }),
  dryRun: optional(flag('Only says what would be done')),
}

const reason = choice(['gone', 'passed', 'notItsTurn'])
const Done = object({
  letters: list(Letter),
  refused: list(object({ id, service: name, key: name, reason })),
  next: nullable(text({ description: 'Where the next page begins; null when this was the last' })),
})

const deadLetterNotFound = problem(404, 'There is no such dead letter')
const passed = problem(409, 'The key of this event has gone on without it')
const notItsTurn = problem(409, 'An earlier event of its key waits, is dead or may still come')
const serviceNotFound = problem(404, 'This host has no database of such a service')
const pageInvalid = problem(400, 'The page is not one that this API gave')

const waiting = { count: whole({ description: 'Up to 10000; 10001 means more' }), oldest: nullable(time) }
const Waiting = object(waiting)
const ServiceStatus = object({
  service: name,
  outbox: Waiting,
  inbox: list(object({ source: name, early: Waiting, retry: Waiting })),
  deadLetters: list(object({ topic: name, cause: choice(CAUSES), ...waiting })),
  subscriptions: list(object({ topic: name, since: time, declared: flag('Whether the service still has a handler for it') })),
})

export const admin = contract('skerry-admin', {
  version: '1.3.0',
  description:
    'Events that wait, events that are dead, sagas, who calls what is deprecated, faults that are injected, and recent telemetry, of the services of one host',
  operations: {
    eventStatus: get('/events/status', {
      input: object({ service: optional(name) }),
      output: object({ services: list(ServiceStatus) }),
      errors: { serviceNotFound },
      deadline: '30s',
      summary: 'What waits in outboxes and inboxes, and what is dead',
    }),
    listDeadLetters: get('/dead-letters', {
      input: object({ ...filter, ...page }),
      output: object({ letters: list(Letter), next: nullable(text()) }),
      errors: { serviceNotFound, pageInvalid },
      deadline: '30s',
      summary: 'Dead letters, the oldest of each service first',
    }),
    showDeadLetter: get('/dead-letters/{id}', {
      input: object({ id }),
      output: WholeLetter,
      errors: { deadLetterNotFound },
      summary: 'One dead letter, with its event and its stack',
    }),
    replayDeadLetter: post('/dead-letters/{id}/replay', {
      input: object({ id, ...act, outOfOrder }),
      output: Letter,
      errors: { deadLetterNotFound, passed },
      summary: 'Hand one event to its handler once more',
    }),
    discardDeadLetter: post('/dead-letters/{id}/discard', {
      input: object({ id, ...act }),
      output: Letter,
      errors: { deadLetterNotFound, notItsTurn },
      summary: 'Forget one event, and let its key go on',
    }),
    replayDeadLetters: post('/dead-letters/replay', {
      input: object({ ...many, outOfOrder }),
      output: Done,
      errors: { serviceNotFound, pageInvalid },
      deadline: '5m',
      summary: 'Hand a page of events to their handlers once more',
    }),
    discardDeadLetters: post('/dead-letters/discard', {
      input: object(many),
      output: Done,
      errors: { serviceNotFound, pageInvalid },
      deadline: '5m',
      summary: 'Forget a page of events, and let their keys go on',
    }),
    listDeadLetterAudit: get('/dead-letter-audit', {
      input: object({ service: optional(name), limit: page.limit }),
      output: object({
        acts: list(
          object({
            id,
            at: time,
            action: choice(['replay', 'discard']),
            by: text(),
            note: nullable(text()),
            letter: id,
            service: name,
            messageId: name,
            type: name,
            key: name,
            sequence: nullable(whole()),
            cause: choice(CAUSES),
          }),
        ),
      }),
      errors: { serviceNotFound },
      summary: 'Who replayed and discarded what, the latest of each service first',
    }),
    ...sagaOperations(MAX_PAGE),
    ...deprecationOperations,
    ...faultOperations,
    ...telemetryOperations(MAX_PAGE),
  },
})

type ValueOf<S> = S extends PlainSchema<infer T> ? T : never
export type LetterView = ValueOf<typeof Letter>
export type DeadLetterQuery = ValueOf<ReturnType<typeof object<typeof filter & typeof page>>>
