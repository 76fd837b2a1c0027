/** JSON Schema 2020-12 as AsyncAPI reads it: its Schema Object is a superset of draft 7, and parsers know no later one by default. */
import { mapSchema } from './json-schema.ts'
import type { JsonSchema } from './schema.ts'

/** The same schema in draft 7. What only later drafts can say is left out, so that the result allows more rather than less. */
export function toDraft07(schema: JsonSchema): JsonSchema {
  return mapSchema(schema, (each) => {
    const {
      prefixItems,
      items,
      $ref: reference,
      dependentRequired,
      dependentSchemas,
      unevaluatedItems: _items,
      unevaluatedProperties: _properties,
      ...rest
    } = each
    const lists =
      prefixItems === undefined
        ? items === undefined
          ? {}
          : { items }
        : { items: prefixItems, ...(items === undefined ? {} : { additionalItems: items }) }
    const dependencies = { ...(dependentRequired as object | undefined), ...(dependentSchemas as object | undefined) }
    const said = { ...rest, ...lists, ...(Object.keys(dependencies).length === 0 ? {} : { dependencies }) }
    if (reference === undefined) return said
    // Beside a reference draft 7 sees nothing else.
    return Object.keys(said).length === 0 ? { $ref: reference } : { allOf: [{ $ref: reference }, said] }
  })
}
