/** The admin API answered for deprecated operations: those of the code that is here, with who has called them as any instance counted it. */
import type { Contract } from '../../contract/contract.ts'
import type { CalledBy } from '../../service/deprecated-call-rows.ts'
import { readDeprecatedCalls } from '../../service/deprecated-call-rows.ts'
import type { service } from '../../service/service.ts'
import type { admin } from './contract.ts'
import type { DeprecatedOperationView } from './deprecation-contract.ts'
import type { AdminTarget } from './targets.ts'
import { chosenTargets } from './targets.ts'

type Handlers = Parameters<ReturnType<typeof service<typeof admin>>['implement']>[0]

/** `withoutDatabase`: the services that are here and keep nothing, so that nobody counts who calls them. */
export function deprecationHandlers(
  targets: readonly AdminTarget[],
  withoutDatabase: readonly Contract[],
): Pick<Handlers, 'listDeprecatedOperations'> {
  return {
    async listDeprecatedOperations({ input, fail }) {
      const kept = chosenTargets(targets, input.service) ?? []
      const others = withoutDatabase.filter(({ name }) => input.service === undefined || name === input.service)
      if (input.service !== undefined && kept.length + others.length === 0) throw fail.serviceNotFound()
      const counted = await Promise.all(kept.map(async ({ contract, database }) => viewsOf(contract, await readDeprecatedCalls(database))))
      return { operations: [...counted.flat(), ...others.flatMap((contract) => viewsOf(contract, undefined))] }
    },
  }
}

/** `calls`: undefined when nobody counts them. */
function viewsOf({ name, operations }: Contract, calls: readonly CalledBy[] | undefined): readonly DeprecatedOperationView[] {
  return Object.entries(operations).flatMap(([operation, { deprecated }]) => {
    if (deprecated === undefined) return []
    const { since, sunset = null, instead = null } = deprecated
    const callers = (calls ?? [])
      .filter((call) => call.operation === operation)
      .map(({ caller, calls: count, firstAt, lastAt }) => ({
        caller,
        calls: count,
        firstAt: firstAt.toISOString(),
        lastAt: lastAt.toISOString(),
      }))
    return [{ service: name, operation, since, sunset, instead, isCounted: calls !== undefined, callers }]
  })
}
