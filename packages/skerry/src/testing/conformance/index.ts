/** `skerry/conformance`: what every engine must do, as named cases that any test runner can run. */
export type { ConformanceCase } from './conformance-case.ts'
export { brokerConformance } from './broker.ts'
export { brokerFaultConformance } from './broker-faults.ts'
export type {
  BrokerUnderFault,
  Capacity,
  FaultMeans,
  Instance,
  InstanceOptions,
  Link,
  Network,
  Outage,
  Processes,
} from './broker-under-fault.ts'
export type { FaultCase } from './fault-scene.ts'
export { Ledger } from './ledger.ts'
export { databaseConformance, ownDatabaseConformance } from './database.ts'
export { registryConformance } from './registry.ts'
export type { RegistryUnderTest } from './registry.ts'
