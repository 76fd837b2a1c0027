/** The admin API answered for injected faults: of this host and this life of it, and only where they are allowed. */
import type { HostedService } from '../../service/hosted-service.ts'
import type { InjectedFault, InjectedFaults } from '../../service/injected-faults.ts'
import type { service } from '../../service/service.ts'
import type { admin } from './contract.ts'
import type { FaultView } from './fault-contract.ts'

type Handlers = Parameters<ReturnType<typeof service<typeof admin>>['implement']>[0]

/** What faults can be put into. */
export interface FaultTargets {
  /** Undefined where they are refused. */
  readonly faults: InjectedFaults | undefined
  readonly services: readonly HostedService[]
}

const DEFAULTS = { percent: 100, latencyMs: 1_000, problem: 'unavailable', seed: 1, forMs: 600_000 } as const

export function faultHandlers({ faults, services }: FaultTargets): Pick<Handlers, 'listFaults' | 'injectFault' | 'removeFault'> {
  return {
    listFaults: async () => ({ faults: (faults?.all ?? []).map(viewOf) }),
    async injectFault({ input, fail }) {
      if (faults === undefined) throw fail.faultsRefused()
      const target = services.find(({ contract }) => contract.name === input.service)
      if (target === undefined) throw fail.serviceNotFound()
      const known = [...target.operations.keys(), ...target.eventHandlers.map(({ event }) => event.type)]
      if (input.of !== undefined && !known.includes(input.of)) throw fail.targetNotFound({ known })
      const { percent, latencyMs, problem, seed, forMs, ...given } = input
      const fault = faults.add({
        ...given,
        percent: percent ?? DEFAULTS.percent,
        latencyMs: latencyMs ?? DEFAULTS.latencyMs,
        problem: problem ?? DEFAULTS.problem,
        seed: seed ?? DEFAULTS.seed,
        forMs: forMs ?? DEFAULTS.forMs,
      })
      if (fault === undefined) throw fail.tooManyFaults()
      return viewOf(fault)
    },
    async removeFault({ input, fail }) {
      const removed = faults?.remove(input.id)
      if (removed === undefined) throw fail.faultNotFound()
      return viewOf(removed)
    },
  }
}

function viewOf({ forMs: _for, ...fault }: InjectedFault): FaultView {
  return { ...fault, of: fault.of ?? null, field: fault.field ?? null, value: fault.value ?? null, endsAt: fault.endsAt.toISOString() }
}
