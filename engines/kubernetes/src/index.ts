/** `@skerry/kubernetes`: Kubernetes as a registry that others write. */
export { kubernetes } from './kubernetes.ts'
export type { KubernetesOptions } from './kubernetes.ts'
