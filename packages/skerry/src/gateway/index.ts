/** `skerry/gateway`: the gateway's part of a system's definition. */
export { gateway } from './gateway.ts'
export type { Gateway, GatewayOptions } from './gateway.ts'
