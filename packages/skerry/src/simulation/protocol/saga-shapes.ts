/** The sagas that a run starts: with and without a pivot, with local steps, with steps side by side. */
import type { Schema } from '../../contract/schema.ts'
import type { SagaDefinition, StepDefinition } from '../../saga/definition.ts'

const done = async (): Promise<undefined> => undefined

/** A step that calls another service. Attempts are few and soon over, so that a run sees the last one. */
function remote(name: string, options: { readonly undo: boolean; readonly pivot?: boolean }): StepDefinition {
  return step(name, 'remote', options)
}

function local(name: string, options: { readonly undo: boolean; readonly pivot?: boolean }): StepDefinition {
  return step(name, 'local', options)
}

function step(
  name: string,
  kind: 'remote' | 'local',
  { undo, pivot = false }: { readonly undo: boolean; readonly pivot?: boolean },
): StepDefinition {
  return {
    name,
    kind,
    pivot,
    maxAttempts: 3,
    minBackoffMs: 50,
    maxBackoffMs: 1_000,
    timeoutMs: kind === 'local' ? Infinity : 1_000,
    event: undefined,
    when: undefined,
    run: done,
    undo: undo ? done : undefined,
    key: undefined,
    where: undefined,
  }
}

const jsonSchema = { input: () => ({}), output: () => ({}) }
const input: Schema = { '~standard': { version: 1, vendor: 'model', validate: (value) => ({ value }), jsonSchema } }

function saga(name: string, deadlineMs: number | undefined, stages: readonly (readonly StepDefinition[])[]): SagaDefinition {
  return { service: 'model', name, version: 1, input, deadlineMs, stages, completed: undefined, compensated: undefined }
}

export const SAGAS: readonly SagaDefinition[] = [
  saga('purchase', undefined, [
    [remote('reserve', { undo: true })],
    [local('note', { undo: true })],
    [remote('pay', { undo: false, pivot: true })],
    [remote('ship', { undo: false })],
    [local('close', { undo: false })],
  ]),
  saga('transfer', 20_000, [
    [remote('hold', { undo: true }), remote('check', { undo: true })],
    [local('book', { undo: false, pivot: true })],
    [remote('tell', { undo: false })],
  ]),
  saga('tour', undefined, [[remote('flight', { undo: true })], [remote('hotel', { undo: true })], [remote('car', { undo: true })]]),
]
