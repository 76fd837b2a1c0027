/** A contract as data: what is kept of a release, and what later ones are held against. */
import { sameJson } from '../../base/json.ts'
import type { Contract } from '../contract.ts'
import type { Deprecation } from '../deprecation.ts'
import type { Event, EventBindings } from '../event.ts'
import { mapSchema } from '../json-schema.ts'
import type { Method, Operation } from '../operation.ts'
import type { JsonSchema, Schema } from '../schema.ts'
import { jsonSchema, validate } from '../schema.ts'

export interface ContractSnapshot {
  readonly contract: string
  readonly version: string
  readonly operations: Readonly<Record<string, OperationSnapshot>>
  readonly events: Readonly<Record<string, EventSnapshot>>
}

export interface OperationSnapshot {
  readonly method: Method
  readonly path: string
  readonly status: number
  readonly public: boolean
  readonly idempotent: boolean
  readonly scopes: readonly string[]
  readonly deadlineMs: number
  readonly deprecated?: Deprecation
  readonly summary?: string
  /** What it takes. */
  readonly input: JsonSchema
  /** What it takes may be left out as a whole. */
  readonly inputOptional?: true
  readonly output?: SentAndTaken
  readonly problems: Readonly<Record<string, ProblemSnapshot>>
}

export interface ProblemSnapshot {
  readonly status: number
  readonly title: string
  readonly data?: SentAndTaken
}

export interface EventSnapshot {
  readonly type: string
  readonly key: string
  readonly summary?: string
  readonly bindings: EventBindings
  readonly data: SentAndTaken
}

/** What the service sends, and what those who read it with this version of the contract take; the same unless `taken` is there. */
export interface SentAndTaken {
  readonly sent: JsonSchema
  readonly taken?: JsonSchema
}

export function contractSnapshot({ name, version, operations, events }: Contract): ContractSnapshot {
  return {
    contract: name,
    version,
    operations: Object.fromEntries(Object.entries(operations).map(([operationName, operation]) => [operationName, ofOperation(operation)])),
    events: Object.fromEntries(Object.entries<Event>(events).map(([eventName, event]) => [eventName, ofEvent(event)])),
  }
}

export function takenOf({ sent, taken = sent }: SentAndTaken): JsonSchema {
  return taken
}

function ofOperation({
  method,
  path,
  status,
  idempotent,
  scopes,
  deadlineMs,
  deprecated,
  summary,
  input,
  output,
  errors,
  ...operation
}: Operation): OperationSnapshot {
  return {
    method,
    path,
    status,
    public: operation.public,
    idempotent,
    scopes: scopes.toSorted(),
    deadlineMs,
    ...(deprecated === undefined ? {} : { deprecated }),
    ...(summary === undefined ? {} : { summary }),
    input: jsonSchema(input, 'input'),
    ...(takesNothing(input) ? { inputOptional: true as const } : {}),
    ...(output === undefined ? {} : { output: sentAndTaken(output) }),
    problems: Object.fromEntries(
      Object.entries(errors).map(([code, problem]) => [
        code,
        { status: problem.status, title: problem.title, ...(problem.data === undefined ? {} : { data: sentAndTaken(problem.data) }) },
      ]),
    ),
  }
}

function takesNothing(input: Schema): boolean {
  const result = validate(input, undefined)
  return !(result instanceof Promise) && result.ok
}

function ofEvent({ type, key, summary, bindings, data }: Event): EventSnapshot {
  return { type, key, ...(summary === undefined ? {} : { summary }), bindings, data: sentAndTaken(data) }
}

function sentAndTaken(schema: Schema): SentAndTaken {
  const sent = mapSchema(jsonSchema(schema, 'output'), withoutClosing)
  const taken = jsonSchema(schema, 'input')
  return sameJson(sent, taken) ? { sent } : { sent, taken }
}

/** That no other fields are sent goes without saying; readers must not take it for a promise that there never will be. */
function withoutClosing(schema: JsonSchema): JsonSchema {
  const { additionalProperties, ...rest } = schema
  return additionalProperties === false ? rest : schema
}
