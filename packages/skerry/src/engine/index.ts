/** `skerry/engine`: the ports that an engine package implements. */
export type { Broker, BrokerEngine, BrokerOptions, BrokerStatus, Consumer, Delivery, Disposition, Message, MessageBindings, PublishOutcome, SubscribeOptions, Subscription } from './broker.ts'
export { embeddedBroker } from './embedded-broker.ts'
export type { EmbeddedBrokerOptions } from './embedded-broker.ts'
export { systemClock } from '../base/clock.ts'
export type { Clock, Timer } from '../base/clock.ts'
export { DatabaseError, kindOfSqlState } from './database.ts'
export type { Database, DatabaseEngine, DatabaseErrorKind, DatabaseOptions, Isolation, Queryable, QueryResult, Transaction } from './database.ts'
