/** The operations of the admin API for sagas: what people may see of them, and the three things that they may do. */
import { get, post } from '../../contract/operation.ts'
import type { PlainSchema } from '../../contract/plain-schema.ts'
import { anything, choice, flag, list, nullable, object, optional, text, whole } from '../../contract/plain-schema.ts'
import { problem } from '../../contract/problem.ts'
import { SAGA_REFUSALS, SAGA_STATUSES } from '../../saga/index.ts'

const id = text({ format: 'uuid' })
const time = text({ format: 'date-time' })
const name = text({ maxLength: 1_000 })
const status = choice(SAGA_STATUSES)

const saga = {
  id,
  service: name,
  name,
  version: whole(),
  status,
  isKnown: flag('Whether whoever answers has the code of this version: a saga goes on only with a host that has it'),
  at: list(name),
  parkedBecause: nullable(text()),
  wait: nullable(object({ type: name, key: name })),
  startedAt: time,
  endedAt: nullable(time),
  /** When it goes on by itself. */
  nextAt: nullable(time),
}
const Saga = object(saga)
const Step = object({
  name,
  kind: choice(['remote', 'local', 'wait', 'ending']),
  pivot: flag(),
  stage: whole({ description: 'Steps of one stage run side by side' }),
  status: choice(['pending', 'running', 'done', 'skipped', 'refused', 'undoing', 'undone']),
  attempts: whole({ description: 'Those that failed, in the present direction' }),
  deferrals: whole({ description: 'Those that could not even be made, because something was unreachable' }),
  output: anything(),
  error: nullable(text()),
  retryAt: nullable(time),
  recordedAt: nullable(time),
})
const WholeSaga = object({
  ...saga,
  input: anything(),
  failure: nullable(object({ reason: text(), step: nullable(name), message: text(), code: text(), data: anything() })),
  cancelCode: nullable(text()),
  traceId: nullable(text()),
  steps: list(Step),
  interventions: list(object({ at: time, action: choice(['retry', 'skip', 'cancel']), step: nullable(text()), by: text() })),
  timeline: list(object({ at: time, what: text() })),
})

const act = { id, by: text({ maxLength: 200, description: 'Who does it, for the record' }) }
const sagaNotFound = problem(404, 'There is no such saga')
const sagaRefused = problem(
  409,
  'The saga is in no state for this',
  object({ reason: choice(SAGA_REFUSALS), instead: text({ description: 'What can be done instead' }) }),
)
const serviceNotFound = problem(404, 'This host has no database of such a service')
const pageInvalid = problem(400, 'The page is not one that this API gave')

/** `maxPage`: sagas that one request shows. */
export function sagaOperations(maxPage: number) {
  return {
    listSagas: get('/sagas', {
      input: object({
        service: optional(name),
        name: optional(name),
        status: optional(status),
        after: optional(text({ maxLength: 300, description: 'The `next` of the page before' })),
        limit: optional(whole({ minimum: 1, maximum: maxPage })),
      }),
      output: object({ sagas: list(Saga), next: nullable(text()) }),
      errors: { serviceNotFound, pageInvalid },
      deadline: '30s',
      summary: 'Sagas, the newest of each service first',
    }),
    showSaga: get('/sagas/{id}', {
      input: object({ id }),
      output: WholeSaga,
      errors: { sagaNotFound },
      summary: 'One saga, with its steps and what people did to it',
    }),
    retrySaga: post('/sagas/{id}/retry', {
      input: object(act),
      output: Saga,
      errors: { sagaNotFound, sagaRefused },
      summary: 'Let a parked saga go on where it stands, or make a pending attempt now',
    }),
    skipSagaStep: post('/sagas/{id}/skip', {
      input: object({
        ...act,
        step: optional({ ...name, json: { ...name.json, description: 'Needed only when several steps parked it' } }),
        output: optional(anything('What the step that was done by hand gave, for the steps behind it')),
      }),
      output: Saga,
      errors: { sagaNotFound, sagaRefused },
      summary: 'Count the step that parked a saga as done by hand, or as undone',
    }),
    cancelSaga: post('/sagas/{id}/cancel', {
      input: object({
        ...act,
        reason: optional(text({ maxLength: 100, description: 'A code for its steps and its end. Default: cancelled' })),
      }),
      output: Saga,
      errors: { sagaNotFound, sagaRefused },
      summary: 'Have a saga undone',
    }),
  }
}

type ValueOf<S> = S extends PlainSchema<infer T> ? T : never
export type SagaView = ValueOf<typeof Saga>
export type WholeSagaView = ValueOf<typeof WholeSaga>
