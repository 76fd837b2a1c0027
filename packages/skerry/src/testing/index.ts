/** `skerry/testing`: the kit with which services are tested. */
export { fake } from './fake.ts'
export type { FakeHandlers } from './fake.ts'
export { exploreInterleavings, interleavings } from './interleaving.ts'
export type { Exploration, InterleavedOutcome, InterleavedTransaction, Interleaving, InterleavingOptions } from './interleaving.ts'
export { testSystem } from './test-system.ts'
export type { DeadLetterView, TestSystem, TestSystemOptions } from './test-system.ts'
export { VirtualClock } from '../base/clock.ts'
export { seededRandom } from '../base/random.ts'
