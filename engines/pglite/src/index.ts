/** `@skerry/pglite`: the engine for PGlite, PostgreSQL inside the process. */
export { pglite } from './pglite.ts'
export type { PgliteDatabaseEngine, PgliteOptions } from './pglite.ts'
