/** What the health of a host depends on: its databases, without which it cannot work, its broker and its registry, without which it can for a while. */
import type { Broker } from '../engine/broker.ts'
import type { Registry } from '../engine/registry.ts'
import type { CheckResult, HealthCheck } from './health.ts'
import type { ServiceInstance } from './service-instance.ts'

export interface HostParts {
  readonly instances: Iterable<ServiceInstance>
  readonly broker: Broker | undefined
  readonly registry: Registry | undefined
}

export function hostChecks({ instances, broker, registry }: HostParts): readonly HealthCheck[] {
  const databases = [...instances].filter(({ database }) => database !== undefined)
  return [
    ...databases.map((instance) => ({ name: `database:${instance.name}`, required: true, check: () => instance.checkDatabase() })),
    { name: 'broker', required: false, check: async () => checkOf(broker?.status() ?? { up: false, reason: 'not opened' }) },
    ...(registry === undefined ? [] : [{ name: 'registry', required: false, check: async () => checkOf(registry.status()) }]),
  ]
}

function checkOf(status: { readonly up: true } | { readonly up: false; readonly reason: string }): CheckResult {
  return status.up ? { status: 'up' } : { status: 'down', reason: status.reason }
}
