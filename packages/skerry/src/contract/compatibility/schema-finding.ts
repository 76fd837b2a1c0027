/** What the comparison of schemas has to say. */
import type { JsonSchema } from '../schema.ts'

export type SchemaRule =
  | 'type'
  | 'enum'
  | 'required'
  | 'unknown-field'
  | 'range'
  | 'length'
  | 'multiple'
  | 'pattern'
  | 'format'
  | 'items'
  | 'fields'
  | 'union'
  | 'default'
  | 'other'

export interface SchemaFinding {
  readonly rule: SchemaRule
  /** Where in the value: `/lines/*`, with `*` for any element or field. Empty for the whole. */
  readonly path: string
  readonly message: string
  /** False when it may be compatible all the same, but that cannot be shown. */
  readonly proven: boolean
}

export type Findings = readonly SchemaFinding[]
/** Schemas that what is sent fits, all of them. */
export type Sent = readonly JsonSchema[]

/** Something is sent that is not taken. */
export function proven(rule: SchemaRule, path: string, message: string): SchemaFinding {
  return { rule, path, message, proven: true }
}

/** Something may be sent that is not taken. */
export function unproven(rule: SchemaRule, path: string, message: string): SchemaFinding {
  return { rule, path, message, proven: false }
}
