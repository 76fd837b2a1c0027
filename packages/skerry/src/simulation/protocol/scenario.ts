/**
 * What a run is about, apart from what goes wrong around it: which events cannot be handled, which steps fail of themselves, and what follows
 * from what. Drawn as the run goes on, or planned before it begins.
 */
import type { RetrySettings } from '../../events/inbox.ts'
import type { StepDefinition } from '../../saga/definition.ts'
import type { ModelEvent, NewEvent, Poison } from './event.ts'
import type { SagaRow } from './saga-table.ts'

/** What comes of an attempt that reaches whoever is to make it: refused for good, or an error that counts. */
export type StepFailure = 'refused' | 'error'

export interface Scenario {
  /** The keys that a topic can have, by their index. */
  readonly keys: readonly string[]
  /** How often a consumer tries what fails. */
  readonly retry: RetrySettings
  joinsLate(service: string): boolean
  poisonOf(event: Pick<ModelEvent, 'topic' | 'service' | 'key' | 'sequence' | 'label'>): Poison | undefined
  /** What the handler of a service that emits makes of an event. */
  reactionTo(event: ModelEvent): NewEvent | undefined
  /** What a local step emits. */
  noteOf(row: SagaRow, step: StepDefinition): NewEvent
  failureOf(row: SagaRow, step: StepDefinition, direction: 'run' | 'undo'): StepFailure | undefined
}
