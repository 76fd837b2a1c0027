/** An operation together with its name, its contract and its HTTP binding: what links, servers and dispatch work with. */
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

/** The operations of a contract by name, bound once. Throws `contractInvalid` when one cannot be carried over HTTP. */
export function boundOperations(contract: Contract): ReadonlyMap<string, BoundOperation> {
  let operations = bound.get(contract)
  if (operations === undefined) {
    operations = new Map(
      Object.entries(contract.operations).map(([name, operation]) => {
        const fullName = `${contract.name}.${name}`
        return [name, { contract: contract.name, name, fullName, operation, http: httpBinding(fullName, operation) }]
      }),
    )
    bound.set(contract, operations)
  }
  return operations
}
