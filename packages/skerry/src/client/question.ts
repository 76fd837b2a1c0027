/**
 * What was asked, as a text that is the same for all inputs that the operation cannot tell apart: an answer to one of them is an answer to the
 * other. So it is the input as the handler would get it, with letters folded and defaults filled in where the schema does that.
 */
import { canonicalJson } from '../base/json.ts'
import type { BoundOperation } from '../contract/bound-operation.ts'
import type { Validation } from '../contract/schema.ts'
import { validate } from '../contract/schema.ts'

/** Undefined for what the operation would refuse. A promise only where its schema is asynchronous. */
export function questionOf({ operation }: BoundOperation, input: unknown): string | undefined | Promise<string | undefined> {
  const checked = validate(operation.input, input)
  return checked instanceof Promise ? checked.then((later) => textOf(later, input)) : textOf(checked, input)
}

function textOf(checked: Validation<unknown>, input: unknown): string | undefined {
  if (!checked.ok) return undefined
  // A schema may make anything of its input, also what has no text of its own, such as a Map.
  return isJson(checked.value) ? canonicalJson({ asked: checked.value }) : canonicalJson({ sent: input })
}

function isJson(value: unknown): boolean {
  if (typeof value !== 'object' || value === null)
    return value === undefined || value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)
  if (Array.isArray(value)) return value.every(isJson)
  const prototype: unknown = Object.getPrototypeOf(value)
  return (prototype === Object.prototype || prototype === null) && Object.values(value).every(isJson)
}
