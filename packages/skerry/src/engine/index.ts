/** `skerry/engine`: the ports that an engine package implements. */
export type {
  Broker,
  BrokerEngine,
  BrokerOptions,
  BrokerStatus,
  Consumer,
  Delivery,
  Disposition,
  Message,
  MessageBindings,
  PublishOutcome,
  SubscribeOptions,
  Subscription,
} from './broker.ts'
export { embeddedBroker } from './embedded-broker.ts'
export type { EmbeddedBrokerOptions } from './embedded-broker.ts'
export { sleep, systemClock } from '../base/clock.ts'
export type { Clock, Timer } from '../base/clock.ts'
export { systemRandom } from '../base/random.ts'
export type { Random } from '../base/random.ts'
export { DatabaseError, kindOfSqlState } from './database.ts'
export type {
  Database,
  DatabaseConnections,
  DatabaseEngine,
  DatabaseErrorKind,
  DatabaseOptions,
  Isolation,
  Queryable,
  QueryResult,
  Transaction,
} from './database.ts'

export { readAddress, writeAddress } from './registry.ts'
export type { Registration, Registry, RegistryEngine, RegistryOptions, RegistryStatus, ServiceAddress, Watch } from './registry.ts'

/** For engines of databases that speak PostgreSQL's SQL: what they have in common. */
export { encodeParameters } from './sql-parameter.ts'
export { FIND_SERVICE_SCHEMA, provisioningScript, serviceIdentifier } from './service-schema.ts'
export type { FoundSchema } from './service-schema.ts'
export { ServiceDatabase } from './service-database.ts'
export type { EngineConnection, EngineResult, ServiceDatabaseOptions } from './service-database.ts'
export { PreparedStatements, StatementNames } from './statement-names.ts'
export type { PreparedStatement } from './statement-names.ts'
export { SESSION_SETTINGS } from './sql-value.ts'
export { UserTypes } from './user-types.ts'
export type { ResultColumn } from './user-types.ts'

/** For engines of brokers and registries: what they have in common. */
export { BrokerHealth } from './broker-health.ts'
export { brokerConnectionDefaults } from './broker-settings.ts'
export type { BrokerConnectionOptions } from './broker-settings.ts'
export { JsonApi } from './json-api.ts'
export type { JsonApiOptions, JsonRequest } from './json-api.ts'
export { keepConnected } from './keep-connected.ts'
export type { KeepConnectedOptions } from './keep-connected.ts'
export { openRegistry, registryDefaults } from './registry-sessions.ts'
export type { RegistryConnectionOptions, RegistrySessions, RegistrySettings } from './registry-sessions.ts'
export { CONFIRMED } from './publish-batch.ts'
export { PublishWindow } from './publish-window.ts'
export type { PublishWindowOptions, Unconfirmed } from './publish-window.ts'
export { Subscriptions } from './subscriptions.ts'
export type { Subscriber } from './subscriptions.ts'
export { within } from './within.ts'
