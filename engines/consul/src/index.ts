/** `@skerry/consul`: Consul as a registry. */
export { consul } from './consul.ts'
export type { ConsulOptions } from './consul.ts'
