/** `skerry/conformance`: what every engine must do, as named cases that any test runner can run. */
export type { ConformanceCase } from './conformance-case.ts'
export { brokerConformance } from './broker.ts'
export { databaseConformance, ownDatabaseConformance } from './database.ts'
