/**
 * The schemas of an OpenAPI document. Definitions that a schema library keeps inside each schema (named, or recursive)
 * become components: equal ones under one name, different ones of the same name told apart by what they belong to.
 */
import { dereference, mapSchema } from './json-schema.ts'
import type { JsonSchema } from './schema.ts'

/** Where a schema comes from: its names are looked up in `root`, and come into question for its components. */
export interface SchemaContext {
  /** The contract; empty for the platform's own, whose names nobody else gets. */
  readonly contract: string
  /** Empty as well for the platform's own. */
  readonly operation: string
  readonly side: 'input' | 'output'
  /** What to call the schema should it need a name, such as `PlaceOrderInput`. */
  readonly name: string
  /** The document that references in the schema start from. */
  readonly root: JsonSchema
}

/** Makes a schema fit to stand in the OpenAPI document. */
export type Place = (schema: JsonSchema, context: SchemaContext) => JsonSchema

/** Builds a document and the components it refers to. `build` runs twice, since names are known only when all schemas are. */
export function withSchemaComponents<T>(build: (place: Place) => T): {
  readonly built: T
  readonly schemas: Readonly<Record<string, JsonSchema>>
} {
  const definitions = new Map<string, Definition>()
  build((schema, context) => {
    for (const pointer of references(withoutDefinitions(schema), context.root)) note(definitions, pointer, context)
    return {}
  })
  const names = chooseNames([...definitions.values()])
  const place: Place = (schema, context) =>
    rewrite(withoutDefinitions(schema), (pointer) => `#/components/schemas/${names.get(definitionKey(pointer, context))!}`)
  const schemas = [...definitions].map(
    ([key, { pointer, context }]) => [names.get(key)!, place(definedBy(pointer, context), context)] as const,
  )
  return { built: build(place), schemas: Object.fromEntries(schemas.toSorted(([left], [right]) => compare(left, right))) }
}

/** `a`, `b`, … in the order of their code units, the same in every locale. */
export function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}

/** `placeOrder` and `order-items` → `PlaceOrder` and `OrderItems`. */
export function pascalCase(name: string): string {
  return name
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('')
}

/** A schema that others refer to. Two are one when they have the same name and say the same, all they refer to included. */
interface Definition {
  readonly key: string
  readonly localName: string
  readonly pointer: string
  readonly context: SchemaContext
  readonly contracts: Set<string>
  readonly operations: Set<string>
  readonly sides: Set<'input' | 'output'>
}

function note(definitions: Map<string, Definition>, pointer: string, context: SchemaContext): void {
  const key = definitionKey(pointer, context)
  let definition = definitions.get(key)
  if (definition === undefined) {
    definition = {
      key,
      localName: localNameOf(pointer, context),
      pointer,
      context,
      contracts: new Set(),
      operations: new Set(),
      sides: new Set(),
    }
    definitions.set(key, definition)
  }
  definition.contracts.add(context.contract)
  definition.operations.add(context.operation)
  definition.sides.add(context.side)
}

function definitionKey(pointer: string, context: SchemaContext): string {
  const said = [pointer, ...references(definedBy(pointer, context), context.root)].map((each) => [
    localNameOf(each, context),
    definedBy(each, context),
  ])
  return JSON.stringify(said)
}

function definedBy(pointer: string, { root }: SchemaContext): JsonSchema {
  return withoutDefinitions(dereference(pointer, root))
}

function withoutDefinitions({ $defs: _definitions, ...schema }: JsonSchema): JsonSchema {
  return schema
}

/** Zod calls what it must name itself `__schema0`; that is no name for a reader. */
const ANONYMOUS = /^__schema\d+$/

function localNameOf(pointer: string, { name }: SchemaContext): string {
  if (pointer === '#') return name
  const segments = pointer.split('/').map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))
  const last = segments.at(-1)!
  if (segments.at(-2) === '$defs' && !ANONYMOUS.test(last)) return last.replaceAll(/[^A-Za-z0-9._-]/g, '_')
  return `${name}${pascalCase(last.replaceAll('_', ''))}`
}

/** Gives every definition its own name: the one it has, or where several have it, one that says which. The platform's are served first. */
function chooseNames(definitions: readonly Definition[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  const taken = new Set<string>()
  const byName = Map.groupBy(definitions, ({ localName }) => localName)
  const rank = (definition: Definition): number => (isPlatforms(definition) ? 0 : byName.get(definition.localName)!.length === 1 ? 1 : 2)
  const inOrder = definitions.toSorted(
    (left, right) => rank(left) - rank(right) || compare(left.localName, right.localName) || compare(left.key, right.key),
  )
  for (const definition of inOrder) {
    const rivals = byName.get(definition.localName)!.filter((other) => other !== definition && !isPlatforms(other))
    const name = isPlatforms(definition) ? definition.localName : distinguished(definition, rivals)
    const free = taken.has(name) ? numbered(name, taken) : name
    names.set(definition.key, free)
    taken.add(free)
  }
  return names
}

function distinguished(definition: Definition, rivals: readonly Definition[]): string {
  const input = isInputVariant(definition, rivals)
  const elsewhere = rivals.some((other) => !meet(definition.contracts, other.contracts))
  const beside = rivals.some((other) => meet(definition.contracts, other.contracts) && isInputVariant(other, [definition]) === input)
  return [
    elsewhere ? pascalCase(first(definition.contracts)) : '',
    beside ? pascalCase(first(definition.operations)) : '',
    definition.localName,
    input ? 'Input' : '',
  ].join('')
}

/** What is sent often differs from what is received, by defaults: the latter has the plain name. */
function isInputVariant(definition: Definition, rivals: readonly Definition[]): boolean {
  return !definition.sides.has('output') && rivals.some((other) => other.sides.has('output') && meet(definition.contracts, other.contracts))
}

function isPlatforms({ contracts }: Definition): boolean {
  return contracts.has('')
}

function meet(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return [...one].some((element) => other.has(element))
}

function first(names: ReadonlySet<string>): string {
  return [...names].toSorted(compare)[0]!
}

function numbered(name: string, taken: ReadonlySet<string>): string {
  for (let number = 2; ; number++) if (!taken.has(`${name}${number}`)) return `${name}${number}`
}

/** Everything that a schema refers to, directly or through others, in the order of discovery. */
function references(schema: JsonSchema, root: JsonSchema): ReadonlySet<string> {
  const found = new Set<string>()
  const visit = (each: JsonSchema): void => {
    rewrite(each, (pointer) => {
      if (!found.has(pointer)) {
        found.add(pointer)
        visit(withoutDefinitions(dereference(pointer, root)))
      }
      return pointer
    })
  }
  visit(schema)
  return found
}

function rewrite(schema: JsonSchema, reference: (pointer: string) => string): JsonSchema {
  return mapSchema(schema, (each) => (typeof each['$ref'] === 'string' ? { ...each, $ref: reference(each['$ref']) } : each))
}
