/**
 * What has changed from one version of a contract to another, and whom it breaks. Requests may be asked less and allow more; answers,
 * problems and events may promise more and vary less; and events that were published before must still be read.
 */
import { sameJson } from '../../base/json.ts'
import { acceptsEmpty, objectFields, typesOf } from '../json-schema.ts'
import type { JsonSchema } from '../schema.ts'
import { compareSchemas } from './schema-compatibility.ts'
import type { SchemaFinding } from './schema-finding.ts'
import type { ContractSnapshot, EventSnapshot, OperationSnapshot, ProblemSnapshot, SentAndTaken } from './snapshot.ts'
import { takenOf } from './snapshot.ts'

/** Who relies on what has changed: those who call an operation, those who consume an event, or whoever reads old events with new code. */
export type Affected = 'callers' | 'consumers' | 'this service'

export interface ContractChange {
  /** `breaking`: someone who relied on the contract as it was may fail. `compatible`: something can be done that could not. `wording`: nothing that programs see. */
  readonly kind: 'breaking' | 'compatible' | 'wording'
  readonly rule: string
  /** The operation or event: `operations.placeOrder`, `events.orderPlaced`. */
  readonly where: string
  /** The place in its values, a path such as `/lines/0/sku`, with `*` for any element or field; empty when it is not about values. */
  readonly path: string
  readonly message: string
  readonly affected: Affected
  /** False when it may be compatible all the same, but that cannot be shown. */
  readonly proven: boolean
}

export function compareContracts(before: ContractSnapshot, now: ContractSnapshot): readonly ContractChange[] {
  const changes = [
    ...members(before.operations, now.operations).flatMap(({ name, was, is }) => operationChanges(name, was, is, now)),
    ...members(before.events, now.events).flatMap(({ name, was, is }) => eventChanges(name, was, is)),
  ]
  if (changes.length > 0 || sameJson([before.operations, before.events], [now.operations, now.events])) return changes
  return [change('wording', 'reworded', '', 'callers', 'descriptions have changed')]
}

function operationChanges(
  name: string,
  was: OperationSnapshot | undefined,
  is: OperationSnapshot | undefined,
  now: ContractSnapshot,
): readonly ContractChange[] {
  const where = `operations.${name}`
  if (was === undefined) return [change('compatible', 'operation-added', where, 'callers', 'is new')]
  if (is === undefined) {
    const heir = Object.entries(now.operations).find(
      ([, { method, path }]) => method === was.method && template(path) === template(was.path),
    )?.[0]
    const instead = heir === undefined ? '' : `; ${was.method} ${was.path} is now "${heir}", which typed clients do not know`
    return [change('breaking', 'operation-removed', where, 'callers', `is gone${instead}`)]
  }
  const changes: ContractChange[] = []
  const say = (kind: ContractChange['kind'], rule: string, message: string): void =>
    void changes.push(change(kind, rule, where, 'callers', message))
  if (was.method !== is.method || template(was.path) !== template(is.path))
    say('breaking', 'route-changed', `was ${was.method} ${was.path} and is ${is.method} ${is.path}`)
  else if (areInterchanged(parametersOf(was.path), parametersOf(is.path)))
    say('breaking', 'route-changed', `had its parameters in another order: ${was.path} and ${is.path}`)
  if (was.status !== is.status) say('breaking', 'status-changed', `answered with status ${was.status} and answers with ${is.status}`)
  if (was.public && !is.public) say('breaking', 'not-public', 'can no longer be called from outside')
  if (!was.public && is.public) say('compatible', 'public', 'can be called from outside')
  if (was.idempotent && !is.idempotent)
    say('breaking', 'not-idempotent', 'could be repeated without further effect, and callers do repeat it')
  if (!was.idempotent && is.idempotent) say('compatible', 'idempotent', 'can be repeated without further effect')
  if (was.deadlineMs !== is.deadlineMs)
    say(
      is.deadlineMs < was.deadlineMs ? 'breaking' : 'compatible',
      'deadline-changed',
      `a caller who says nothing waited ${was.deadlineMs} ms and waits ${is.deadlineMs} ms`,
    )
  if (was.deprecated === undefined && is.deprecated !== undefined)
    say('compatible', 'deprecated', `is deprecated since ${is.deprecated.since}`)
  for (const scope of is.scopes) if (!was.scopes.includes(scope)) say('breaking', 'scope-required', `callers need the scope "${scope}"`)
  for (const scope of was.scopes)
    if (!is.scopes.includes(scope)) say('compatible', 'scope-dropped', `callers no longer need the scope "${scope}"`)
  changes.push(...inputChanges(where, was, is), ...outputChanges(where, was.output, is.output))
  for (const { name: code, was: wasProblem, is: isProblem } of members(was.problems, is.problems))
    changes.push(...problemChanges(where, code, wasProblem, isProblem))
  return changes
}

function inputChanges(where: string, was: OperationSnapshot, is: OperationSnapshot): readonly ContractChange[] {
  const changes: ContractChange[] = []
  if (was.inputOptional === true && is.inputOptional !== true && !isObjectOfNothing(is.input))
    changes.push(change('breaking', 'input-must-be-there', where, 'callers', 'could be called without any input, and cannot any more'))
  const sent = renamed(was.input, parametersOf(was.path), parametersOf(is.path))
  if (sent === undefined)
    changes.push({
      ...change(
        'breaking',
        'input-other',
        where,
        'callers',
        'what parameters are called in the path has changed, and it cannot be shown that nothing else has',
      ),
      proven: false,
    })
  const findings = compareSchemas({ sent: sent ?? was.input, taken: is.input, comparesDefaults: true })
  changes.push(...findings.map((finding) => schemaChange('input', where, 'callers', finding, 'callers of before: ')))
  if (sent !== undefined) changes.push(...textChanges(where, sent, is))
  if (changes.length > 0) return changes
  return sameConditions(was.input, is.input) ? [] : [change('compatible', 'input-widened', where, 'callers', 'takes what it did, and more')]
}

/** Callers may always leave out what they do not know. */
function isObjectOfNothing(input: JsonSchema): boolean {
  return acceptsEmpty(input, input) && input['type'] === 'object'
}

/** In a URL everything is text: which types its reader looks for decides what it becomes. */
function textChanges(where: string, sent: JsonSchema, is: OperationSnapshot): readonly ContractChange[] {
  const [before, now] = [objectFields(sent, sent)?.fields, objectFields(is.input, is.input)?.fields]
  if (before === undefined || now === undefined) return []
  const inUrl = is.method === 'GET' || is.method === 'DELETE' ? [...now.keys()] : parametersOf(is.path)
  return inUrl.flatMap((name): readonly ContractChange[] => {
    const [was, becomes] = [before.get(name), now.get(name)]
    if (was === undefined || becomes === undefined) return []
    const [read, reads] = [typesRead(was.schema, sent), typesRead(becomes.schema, is.input)]
    if (read === reads) return []
    const message = `callers of before: what they write into the URL was read as ${read}, and is read as ${reads}`
    return [{ ...change('breaking', 'input-read-as', where, 'callers', message), path: `/${name}`, proven: false }]
  })
}

function typesRead(schema: JsonSchema, root: JsonSchema): string {
  const types = [...(typesOf(schema, root) ?? ['anything'])].filter((type) => type !== 'null')
  return types.toSorted().join(' or ')
}

function outputChanges(where: string, was: SentAndTaken | undefined, is: SentAndTaken | undefined): readonly ContractChange[] {
  if (was === undefined) return is === undefined ? [] : [change('compatible', 'output-added', where, 'callers', 'answers with a body')]
  if (is === undefined) return [change('breaking', 'output-removed', where, 'callers', 'answered with a body, and does not any more')]
  const findings = sendingFindings(was, is)
  if (findings.length > 0) return findings.map((finding) => schemaChange('output', where, 'callers', finding, 'in the answer: '))
  return sameConditions(was, is)
    ? []
    : [change('compatible', 'output-narrowed', where, 'callers', 'answers with what it did, or with more fields')]
}

function problemChanges(
  where: string,
  code: string,
  was: ProblemSnapshot | undefined,
  is: ProblemSnapshot | undefined,
): readonly ContractChange[] {
  const place = `${where}.problems.${code}`
  if (was === undefined)
    return [
      change('breaking', 'problem-added', place, 'callers', `is new (status ${is!.status}): callers of before fail on it as on a fault`),
    ]
  if (is === undefined) return [change('compatible', 'problem-removed', place, 'callers', 'is not answered any more')]
  const changes: ContractChange[] = []
  if (was.status !== is.status)
    changes.push(change('breaking', 'problem-status-changed', place, 'callers', `had status ${was.status} and has ${is.status}`))
  if (was.data === undefined)
    return is.data === undefined ? changes : [...changes, change('compatible', 'problem-data-added', place, 'callers', 'says more')]
  if (is.data === undefined)
    return [...changes, change('breaking', 'problem-data-removed', place, 'callers', 'had particulars, and has none any more')]
  const findings = sendingFindings(was.data, is.data).map((finding) =>
    schemaChange('problem-data', place, 'callers', finding, 'in its particulars: '),
  )
  if (findings.length === 0 && !sameConditions(was.data, is.data))
    changes.push(change('compatible', 'problem-data-narrowed', place, 'callers', 'says what it did, or more'))
  return [...changes, ...findings]
}

function eventChanges(name: string, was: EventSnapshot | undefined, is: EventSnapshot | undefined): readonly ContractChange[] {
  const where = `events.${name}`
  if (was === undefined) return [change('compatible', 'event-added', where, 'consumers', 'is new')]
  if (is === undefined) return [change('breaking', 'event-removed', where, 'consumers', 'is not published any more')]
  const changes: ContractChange[] = []
  if (was.type !== is.type)
    return [
      change('breaking', 'event-version-changed', where, 'consumers', `was published as ${was.type}, and is published as ${is.type} only`),
    ]
  if (was.key !== is.key)
    changes.push(
      change('breaking', 'event-key-changed', where, 'consumers', `was in order by "${was.key}", and is in order by "${is.key}"`),
    )
  if (was.bindings.amqp !== undefined && !sameJson(was.bindings.amqp, is.bindings.amqp))
    changes.push(
      change('breaking', 'event-binding-changed', where, 'consumers', `no longer goes to the queue "${was.bindings.amqp.queue}" as it did`),
    )
  if (was.bindings.amqp === undefined && is.bindings.amqp !== undefined)
    changes.push(change('compatible', 'event-binding-added', where, 'consumers', `also goes to the queue "${is.bindings.amqp.queue}"`))
  const sending = sendingFindings(was.data, is.data).map((finding) => schemaChange('event', where, 'consumers', finding, 'from now on: '))
  const held = compareSchemas({ sent: was.data.sent, taken: takenOf(is.data) }).map((finding) =>
    schemaChange('held-event', where, 'this service', finding, 'of those already published: '),
  )
  const foreseen = [...sending, ...held]
  if (foreseen.length === 0 && !sameConditions(was.data, is.data))
    changes.push(change('compatible', 'event-narrowed', where, 'consumers', 'says what it did, or more'))
  return [...changes, ...foreseen]
}

/** What readers may not be able to take: those with the schema of before, and those who go by what was written down of it. */
function sendingFindings(was: SentAndTaken, is: SentAndTaken): readonly SchemaFinding[] {
  const read = compareSchemas({ sent: is.sent, taken: takenOf(was) })
  const promised = compareSchemas({ sent: is.sent, taken: was.sent })
  return [...read, ...promised.filter((finding) => !read.some(({ path, rule }) => path === finding.path && rule === finding.rule))]
}

function schemaChange(
  prefix: string,
  where: string,
  affected: Affected,
  { rule, path, message, proven }: SchemaFinding,
  words: string,
): ContractChange {
  return { kind: 'breaking', rule: `${prefix}-${rule}`, where, path, message: `${words}${message}`, affected, proven }
}

function change(kind: ContractChange['kind'], rule: string, where: string, affected: Affected, message: string): ContractChange {
  return { kind, rule, where, path: '', message, affected, proven: true }
}

function members<T>(
  before: Readonly<Record<string, T>>,
  now: Readonly<Record<string, T>>,
): { name: string; was: T | undefined; is: T | undefined }[] {
  return [...new Set([...Object.keys(before), ...Object.keys(now)])].map((name) => ({
    name,
    was: Object.hasOwn(before, name) ? before[name] : undefined,
    is: Object.hasOwn(now, name) ? now[name] : undefined,
  }))
}

/** A path on the wire: what its parameters are called is between the contract and its typed clients, who know both. */
function template(path: string): string {
  return path.replaceAll(/\{[^}]*\}/g, '{}')
}

/** A name that was at one place is at another. */
function areInterchanged(before: readonly string[], now: readonly string[]): boolean {
  return before.some((name, index) => now[index] !== name && now.includes(name))
}

function parametersOf(path: string): readonly string[] {
  return [...path.matchAll(/\{([^}]*)\}/g)].map((match) => match[1]!)
}

/**
 * The input under the names that the path gives its parameters now: callers send a parameter by its place. Undefined when it is not a plain
 * object, whose fields could not be told from others of that name.
 */
function renamed(input: JsonSchema, from: readonly string[], to: readonly string[]): JsonSchema | undefined {
  if (from.every((name, index) => name === to[index])) return input
  const { properties, required } = input as { properties?: Readonly<Record<string, unknown>>; required?: readonly string[] }
  const isPlain = properties !== undefined && ['$ref', 'allOf', 'anyOf', 'oneOf'].every((keyword) => input[keyword] === undefined)
  if (!isPlain || JSON.stringify(input).includes('"$ref":"#"')) return undefined
  const names = new Map(from.map((name, index) => [name, to[index] ?? name]))
  const rename = (name: string): string => names.get(name) ?? name
  return {
    ...input,
    properties: Object.fromEntries(Object.entries(properties).map(([name, schema]) => [rename(name), schema])),
    ...(required === undefined ? {} : { required: required.map(rename) }),
  }
}

/** Whether two values differ in nothing but descriptions. */
function sameConditions(one: unknown, other: unknown): boolean {
  return sameJson(withoutWords(one), withoutWords(other))
}

const WORDS = new Set(['title', 'description', 'examples', '$comment'])

/** Extensions are for people and tools: which values are valid they do not say. */
function isWord(keyword: string): boolean {
  return WORDS.has(keyword) || keyword.startsWith('x-')
}

function withoutWords(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutWords)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      // A field of that name is an object; what people read is not.
      .filter(([name, member]) => !isWord(name) || (typeof member === 'object' && !Array.isArray(member)))
      .map(([name, member]) => [name, withoutWords(member)]),
  )
}
