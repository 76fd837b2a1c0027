/** `skerry/gateway`: the gateway's part of a system's definition, and what another gateway needs to serve the same routes. */
export { gateway, publicOperations } from './gateway.ts'
export type { Gateway, GatewayOptions } from './gateway.ts'
export { platformProblem, PROBLEM_MEDIA_TYPE } from '../contract/problem.ts'
export type { BoundOperation } from '../contract/bound-operation.ts'
