/** The names of all fields that the contracts of a system mark as personal or secret. */
import type { Contract } from '../contract/contract.ts'
import type { Event } from '../contract/event.ts'
import type { Schema } from '../contract/schema.ts'
import { jsonSchema } from '../contract/schema.ts'
import { sensitiveNames } from '../contract/sensitive.ts'
import type { System } from './system.ts'

const SIDES = ['input', 'output'] as const

export function sensitiveFieldsOf({ services }: System): ReadonlySet<string> {
  return new Set(
    services.flatMap(({ contract }) =>
      schemasOf(contract).flatMap((schema) => SIDES.flatMap((side) => [...sensitiveNames(jsonSchema(schema, side))])),
    ),
  )
}

function schemasOf({ operations, events }: Contract): readonly Schema[] {
  const ofOperations = Object.values(operations).flatMap(({ input, output, errors }) => [
    input,
    output,
    ...Object.values(errors).map(({ data }) => data),
  ])
  const ofEvents = Object.values(events as Readonly<Record<string, Event>>).map(({ data }) => data)
  return [...ofOperations, ...ofEvents].filter((schema) => schema !== undefined)
}
