/** `skerry/service`: what a service package imports besides contracts. */
export { service, tables } from './service.ts'
export type { ProjectionOptions, Service, ServiceDefinition, ServiceOptions, Subscription } from './service.ts'
export { recordedEvent, recording } from '../event-store/recording.ts'
export type { RecordedEvent, Recording } from '../event-store/recording.ts'
export { storedEvent } from '../event-store/stored-event.ts'
export type { NewStreamEvent, StoredEvent, StreamEvent, Upcast } from '../event-store/stored-event.ts'
export { stream } from '../event-store/stream.ts'
export type { EventsOf, StateOf, Stream } from '../event-store/stream.ts'
export type { ProjectionReader, ProjectionStatus } from '../event-store/projection-access.ts'
export type { ProjectedEvent, Projection } from '../event-store/projection.ts'
export type { PastEvent, StreamReader, StreamReaders, Streams, StreamWriter, StreamWriters } from '../event-store/streams.ts'
export type { Log } from '../telemetry/log.ts'
export type {
  Clients,
  EffectContext,
  Emit,
  EventContext,
  Fail,
  InTransaction,
  OperationContext,
  ProjectionContext,
  RunTransaction,
  ServiceContext,
  TransactionOptions,
  Uses,
} from './context.ts'
