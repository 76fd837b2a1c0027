/** An operation together with its name, its contract and its HTTP binding: what links, servers and dispatch work with. */
import { SkerryError } from '../base/errors.ts'
import type { Contract } from './contract.ts'
import type { HttpBinding } from './http-binding.ts'
import { httpBinding } from './http-binding.ts'
import type { Operation } from './operation.ts'

export interface BoundOperation {
  readonly contract: string
  readonly name: string
  /** `orders.placeOrder`, for messages, spans and metrics. */
  readonly fullName: string
  readonly operation: Operation
  readonly http: HttpBinding
}

const bound = new WeakMap<Contract, ReadonlyMap<string, BoundOperation>>()

/** The operations of a contract by name, bound once. Throws `contractInvalid` with everything that keeps one from being carried over HTTP. */
export function boundOperations(contract: Contract): ReadonlyMap<string, BoundOperation> {
  let operations = bound.get(contract)
  if (operations === undefined) {
    operations = bind(contract)
    bound.set(contract, operations)
  }
  return operations
}

function bind(contract: Contract): ReadonlyMap<string, BoundOperation> {
  const operations = new Map<string, BoundOperation>()
  const mistakes: string[] = []
  for (const [name, operation] of Object.entries(contract.operations)) {
    const fullName = `${contract.name}.${name}`
    try {
      operations.set(name, Object.freeze({ contract: contract.name, name, fullName, operation, http: httpBinding(fullName, operation) }))
    } catch (error) {
      if (!(error instanceof SkerryError)) throw error
      mistakes.push(error.message)
    }
  }
  if (mistakes.length > 0) throw new SkerryError('contractInvalid', mistakes.join('\n'))
  return operations
}
