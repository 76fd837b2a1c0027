/**
 * The boundary to schema libraries: any Standard Schema that can also describe itself as JSON Schema (Zod 4.2 and later,
 * ArkType, Valibot with its converter). Values on the wire are JSON, so a schema whose values JSON cannot carry is refused.
 */
import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec'

export interface Schema<Input = unknown, Output = Input> {
  readonly '~standard': StandardSchemaV1.Props<Input, Output> & StandardJSONSchemaV1.Props<Input, Output>
}

/** What a sender may give. */
export type InputOf<S extends Schema> = StandardSchemaV1.InferInput<S>
/** What the receiver gets: defaults filled in, unknown fields gone. */
export type OutputOf<S extends Schema> = StandardSchemaV1.InferOutput<S>

export type JsonSchema = Readonly<Record<string, unknown>>

/** One field that is wrong. `path` is a JSON Pointer (RFC 6901), empty for the whole value. */
export interface Issue {
  readonly path: string
  readonly message: string
}

export type Validation<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly issues: readonly Issue[] }

/** Validates a value; returns a promise only when the schema is asynchronous. */
export function validate<T>(schema: Schema<unknown, T>, value: unknown): Validation<T> | Promise<Validation<T>> {
  const result = schema['~standard'].validate(value)
  return result instanceof Promise ? result.then(toValidation) : toValidation(result)
}

const described = { input: new WeakMap<Schema, JsonSchema>(), output: new WeakMap<Schema, JsonSchema>() }

/** The schema as JSON Schema 2020-12: of what is sent (`input`) or of what is received (`output`). Made once; throws for what JSON cannot carry. */
export function jsonSchema(schema: Schema, side: 'input' | 'output'): JsonSchema {
  let json = described[side].get(schema)
  if (json === undefined) {
    const { $schema: _dialect, ...rest } = schema['~standard'].jsonSchema[side]({ target: 'draft-2020-12' })
    json = rest
    described[side].set(schema, json)
  }
  return json
}

declare const noField: unique symbol

/** Nothing, or an object without fields. The field that nobody can name keeps values with fields from passing as `{}` does. */
export type NoInput = { readonly [noField]?: never } | undefined

/** For an operation that takes nothing. Fields that a sender adds all the same are dropped, as every object schema does. */
export const nothing: Schema<NoInput, Record<never, never>> = {
  '~standard': {
    version: 1,
    vendor: 'skerry',
    validate: (value) =>
      value === undefined || (typeof value === 'object' && value !== null && !Array.isArray(value))
        ? { value: {} }
        : { issues: [{ message: 'expected no input, or an empty object' }] },
    jsonSchema: { input: () => ({ type: 'object' }), output: () => ({ type: 'object' }) },
  },
}

function toValidation<T>(result: StandardSchemaV1.Result<T>): Validation<T> {
  if (result.issues === undefined) return { ok: true, value: result.value }
  return { ok: false, issues: result.issues.map((issue) => ({ path: pointer(issue.path), message: issue.message })) }
}

function pointer(path: StandardSchemaV1.Issue['path']): string {
  if (path === undefined) return ''
  return path
    .map(
      (segment) =>
        `/${String(typeof segment === 'object' ? segment.key : segment)
          .replaceAll('~', '~0')
          .replaceAll('/', '~1')}`,
    )
    .join('')
}
