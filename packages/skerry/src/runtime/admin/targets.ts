/** What the admin API looks after: the services whose databases are here. */
import type { Contract } from '../../contract/contract.ts'
import type { Database } from '../../engine/database.ts'

/** A service that can be looked after from here. */
export interface AdminTarget {
  readonly service: string
  readonly contract: Contract
  readonly database: Database
  /** What it consumes as it is now. */
  readonly topics: readonly string[]
  /** The versions of sagas whose code is here, as `name@version`. */
  readonly sagas: readonly string[]
  /** Called when its inbox or its sagas may have work that is due. */
  readonly wake: () => void
}

/** The one of that name, or all. Undefined when there is none of that name. */
export function chosenTargets(targets: readonly AdminTarget[], name: string | undefined): readonly AdminTarget[] | undefined {
  const found = targets.filter((target) => name === undefined || target.service === name)
  return name !== undefined && found.length === 0 ? undefined : found
}
