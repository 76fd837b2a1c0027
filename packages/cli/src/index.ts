/** `@skerry/cli`: the parts of the `skerry` command that programs which start hosts themselves can use. */
export { enginesFor } from './engines.ts'
export type { LoadedEngines } from './engines.ts'
export { loadSystem } from './system-file.ts'
export type { LoadedSystem, Platform } from './system-file.ts'
