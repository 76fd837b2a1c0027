/** `@skerry/postgres`: the engine for a PostgreSQL server. */
export { postgres } from './postgres.ts'
export type { PostgresOptions } from './postgres.ts'
