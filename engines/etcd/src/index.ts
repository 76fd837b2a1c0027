/** `@skerry/etcd`: etcd as a registry. */
export { etcd } from './etcd.ts'
export type { EtcdOptions } from './etcd.ts'
