/** `@skerry/nats`: the broker port on NATS JetStream, server 2.9 and later. */
export { nats } from './nats.ts'
export type { NatsOptions } from './settings.ts'
