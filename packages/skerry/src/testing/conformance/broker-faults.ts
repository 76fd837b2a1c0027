/**
 * Delivery under faults: nothing lost, effects once and in order per key, whatever breaks. On top of the broker stands a consumer as
 * services have it, so what is proved is what a service may rely on. A subject without some means leaves out the cases that need them.
 */
import { networkFaults } from './fault-network.ts'
import { outages } from './fault-outages.ts'
import { pressure } from './fault-pressure.ts'
import { processFaults } from './fault-processes.ts'
import type { FaultCase } from './fault-scene.ts'

/** What a broker engine must do when things break, as cases for any test runner. Give them minutes: servers start again in them. */
export const brokerFaultConformance: readonly FaultCase[] = [...pressure, ...networkFaults, ...processFaults, ...outages]
