/** What the service layer builds sagas from. */
export { declareSaga } from './definition.ts'
export type { Saga, SagaBuilder, SagaOptions } from './definition.ts'
export { Sagas } from './sagas.ts'
export type { SagaReference, StartOptions } from './sagas.ts'
export { SAGA_MIGRATION } from './tables.ts'
export { checkSagaVersions } from './versions.ts'
