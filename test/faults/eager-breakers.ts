/**
 * Loaded into a host before everything else (`node --import`): its circuit breakers try again after one second instead of thirty. In these
 * tests something is always being restarted, and what is tested is not how long others keep away from it.
 */
import { BREAKER_DEFAULTS } from '../../packages/skerry/src/resilience/circuit-breaker.ts'

Object.assign(BREAKER_DEFAULTS, { openMs: 1_000 })
