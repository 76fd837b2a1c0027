/** `skerry/service`: what a service package imports besides contracts. */
export { service, tables } from './service.ts'
export type { Service, ServiceDefinition, ServiceOptions, Subscription } from './service.ts'
export type { Log } from '../telemetry/log.ts'
export type {
  Clients,
  EffectContext,
  Emit,
  EventContext,
  Fail,
  InTransaction,
  OperationContext,
  RunTransaction,
  ServiceContext,
  TransactionOptions,
  Uses,
} from './context.ts'
