/**
 * What a database engine must do: give and take values as the port describes them, begin and end transactions truthfully,
 * tell failures apart, and keep services from each other. Every case makes services of its own, so the cases may share one database.
 */
import type { DatabaseEngine } from '../../engine/database.ts'
import type { ConformanceCase } from './conformance-case.ts'
import { isolationCases } from './database-isolation.ts'
import { parameterCases } from './database-parameters.ts'
import { resultCases } from './database-results.ts'
import { separationCases, serviceCases } from './database-services.ts'
import { statementCases } from './database-statements.ts'
import { transactionCases } from './database-transactions.ts'

/** Those that hold when a service has the database to itself (`shared: false`), too. */
export const ownDatabaseConformance: readonly ConformanceCase<DatabaseEngine>[] = [
  ...resultCases,
  ...parameterCases,
  ...statementCases,
  ...transactionCases,
  ...isolationCases,
  ...serviceCases,
]

/** All of them, for a database that services share. */
export const databaseConformance: readonly ConformanceCase<DatabaseEngine>[] = [...ownDatabaseConformance, ...separationCases]
