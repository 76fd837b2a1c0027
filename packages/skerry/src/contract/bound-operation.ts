/** An operation together with its name, its contract and its HTTP binding: what links, servers and dispatch work with. */
import { SkerryError } from '../base/errors.ts'
import type { Contract } from './contract.ts'
import type { Event } from './event.ts'
import type { HttpBinding } from './http-binding.ts'
import { httpBinding } from './http-binding.ts'
import { objectFields, typesOf } from './json-schema.ts'
import type { Operation } from './operation.ts'
import type { JsonSchema } from './schema.ts'
import { jsonSchema } from './schema.ts'

export interface BoundOperation {
  readonly contract: string
  readonly name: string
  /** `orders.placeOrder`, for messages, spans and metrics. */
  readonly fullName: string
  readonly operation: Operation
  readonly http: HttpBinding
}

const bound = new WeakMap<Contract, ReadonlyMap<string, BoundOperation>>()

/**
 * The operations of a contract by name, bound once. Throws `contractInvalid` with everything in the contract that cannot
 * cross a wire: operations that HTTP cannot carry, events that JSON cannot.
 */
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
  mistakes.push(...Object.values(contract.events).flatMap((event) => mistakesInEvent(event)))
  if (mistakes.length > 0) throw new SkerryError('contractInvalid', mistakes.join('\n'))
  return operations
}

/** An event is written as its schema gives it and read through the schema again, so that is what must be JSON; and its key must be in there. */
function mistakesInEvent({ contract, name, data, key }: Event): string[] {
  const where = `${contract}.${name}`
  let schema: JsonSchema
  try {
    schema = jsonSchema(data, 'output')
  } catch (error) {
    return [`${where}: its data cannot be described as JSON Schema: ${error instanceof Error ? error.message : String(error)}`]
  }
  const field = objectFields(schema, schema)?.fields.get(key)
  if (field?.required !== true) return [`${where}: its data must be an object that always has the ordering key "${key}"`]
  const types = [...(typesOf(field.schema, schema) ?? ['any'])]
  return types.every((type) => type === 'string' || type === 'number')
    ? []
    : [`${where}: the ordering key "${key}" must be text or a number`]
}
