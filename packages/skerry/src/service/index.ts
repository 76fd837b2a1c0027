/** `skerry/service`: what a service package imports besides contracts. */
export { service, tables } from './service.ts'
export type { SagaBuilder } from '../saga/index.ts'
export type {
  ProjectionOptions,
  Schedule,
  Service,
  ServiceDefinition,
  ServiceOptions,
  Subscription,
  SubscriptionOptions,
} from './service.ts'
export type { ProjectionReader, ProjectionStatus } from '../event-store/projection-access.ts'
export type { ProjectedEvent, Projection } from '../event-store/projection.ts'
export { recordedEvent, recording } from '../event-store/recording.ts'
export type { RecordedEvent, Recording } from '../event-store/recording.ts'
export { storedEvent } from '../event-store/stored-event.ts'
export type { NewStreamEvent, StoredEvent, StreamEvent, Upcast } from '../event-store/stored-event.ts'
export { stream } from '../event-store/stream.ts'
export type { EventsOf, StateOf, Stream } from '../event-store/stream.ts'
export type { PastEvent, StreamReader, StreamReaders, Streams, StreamWriter, StreamWriters } from '../event-store/streams.ts'
export type { Log } from '../telemetry/log.ts'
export type {
  Clients,
  EffectContext,
  EmitOptions,
  Emit,
  EventContext,
  Fail,
  InTransaction,
  LocalStepContext,
  NoStreams,
  OperationContext,
  RemoteStepContext,
  ProjectionContext,
  RunTransaction,
  ScheduleContext,
  ServiceContext,
  TransactionOptions,
  Uses,
} from './context.ts'
