/** `skerry`: what a system is written with. Services import it; engines, hosts and tests have subpaths of their own. */
export { contract, del, event, get, patch, post, problem, put } from './contract/index.ts'
export type { Contract } from './contract/index.ts'
export { CallError } from './client/index.ts'
export { gateway } from './gateway/index.ts'
export { system } from './runtime/system.ts'
export type { System } from './runtime/system.ts'
export { recordedEvent, recording, service, storedEvent, stream, tables } from './service/index.ts'
export type { Service } from './service/index.ts'
