/** `skerry/service`: what a service package imports besides contracts. */
export { service, tables } from './service.ts'
export type { Schedule, Service, ServiceDefinition, ServiceOptions, Subscription, SubscriptionOptions } from './service.ts'
export type { Log } from '../telemetry/log.ts'
export type {
  Clients,
  EffectContext,
  EmitOptions,
  Emit,
  EventContext,
  Fail,
  InTransaction,
  OperationContext,
  RunTransaction,
  ScheduleContext,
  ServiceContext,
  TransactionOptions,
  Uses,
} from './context.ts'
