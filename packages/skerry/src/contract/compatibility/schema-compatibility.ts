/**
 * Whether whoever takes values by one schema can take all that is sent by another. What cannot be proven is reported as that, never
 * passed over: no finding means that it is so.
 *
 * Values are JSON, described by JSON Schema 2020-12. A sender sends the fields that its schema names, and others only where the schema says
 * what those are (`additionalProperties`). A reader ignores fields that it does not know, unless its schema refuses them.
 */
import { sameJson } from '../../base/json.ts'
import type { JsonSchema } from '../schema.ts'
import { accepts } from './accepts.ts'
import { areDisjoint } from './disjoint.ts'
import { Equivalence } from './equivalence.ts'
import { compareCounts, compareNumbers, compareStrings } from './scalar-compatibility.ts'
import type { Findings, SchemaFinding, Sent } from './schema-finding.ts'
import { proven, unproven } from './schema-finding.ts'
import {
  asSchema,
  conditionsOf,
  elementOf,
  fieldOf,
  highest,
  intricateConditionsIn,
  isEverything,
  isNever,
  lowest,
  namedValues,
  namesOf,
  otherFieldsOf,
  prefixLength,
  propertiesOf,
  requiredOf,
  typesOfFacts,
} from './schema-reading.ts'

export interface SchemaComparison {
  readonly sent: JsonSchema
  readonly taken: JsonSchema
  /** What a value that the sender leaves out becomes matters. Default: false. */
  readonly comparesDefaults?: boolean
}

/** What stands in the way of taking by `taken` all that is sent by `sent`. Empty when nothing does. */
export function compareSchemas(comparison: SchemaComparison): readonly SchemaFinding[] {
  const findings = new Comparison(comparison).run()
  const distinct = new Map(findings.map((finding) => [`${finding.rule} ${finding.path} ${finding.message}`, finding]))
  return [...distinct.values()]
}

/** Alternatives of alternatives are followed this far; beyond, nothing is proven. */
const MAX_STEPS = 10_000
const MAX_NESTING = 300

class Comparison {
  /** What is being compared further out: where a schema refers to itself, that it holds for the values inside is what is being shown. */
  readonly #under: { readonly sent: Sent; readonly taken: JsonSchema; readonly level: number }[] = []
  readonly #sentRoot: JsonSchema
  readonly #takenRoot: JsonSchema
  readonly #comparesDefaults: boolean
  readonly #equivalence: Equivalence
  /** How deep in the values it is. */
  #level = 0
  #steps = 0

  constructor({ sent, taken, comparesDefaults = false }: SchemaComparison) {
    this.#sentRoot = sent
    this.#takenRoot = taken
    this.#comparesDefaults = comparesDefaults
    this.#equivalence = new Equivalence(sent, taken, comparesDefaults ? ['default'] : [])
  }

  /** All of it, the value as a whole included. */
  run(): Findings {
    const findings = this.compare([this.#sentRoot], this.#takenRoot, '')
    return this.#comparesDefaults ? [...findings, ...this.#compareDefaults([this.#sentRoot], this.#takenRoot, '')] : findings
  }

  compare(sent: Sent, taken: JsonSchema, path: string): Findings {
    if (isEverything(taken)) return []
    if (this.#isUnchanged(sent, taken)) return []
    if (this.#isTooMuch()) return [unproven('other', path, 'the schemas are too intricate to be compared')]
    if (this.#under.some((outer) => outer.level < this.#level && outer.taken === taken && sameSchemas(outer.sent, sent))) return []
    this.#under.push({ sent, taken, level: this.#level })
    try {
      return this.#compareAlternatives(sent, taken, path)
    } finally {
      this.#under.pop()
    }
  }

  #isUnchanged(sent: Sent, taken: JsonSchema): boolean {
    return sent.some((schema) => this.#equivalence.holds(schema, taken))
  }

  #isTooMuch(): boolean {
    return this.#steps++ > MAX_STEPS || this.#under.length > MAX_NESTING
  }

  #inside(sent: Sent, taken: JsonSchema, path: string): Findings {
    this.#level++
    try {
      return this.compare(sent, taken, path)
    } finally {
      this.#level--
    }
  }

  /** Each alternative that is sent must be taken; then there is nothing but facts left. */
  #compareAlternatives(sent: Sent, taken: JsonSchema, path: string): Findings {
    const { facts, unions } = conditionsOf(sent, this.#sentRoot)
    if (facts.some(isNever)) return []
    const [first, ...others] = unions
    if (first === undefined) return this.#compareFacts(facts.map(withoutUnions), taken, path)
    const rest = [...facts.map(withoutUnions), ...others.map((alternatives): JsonSchema => ({ anyOf: alternatives }))]
    return first.flatMap((alternative) => this.compare([...rest, alternative], taken, path))
  }

  #compareFacts(facts: Sent, taken: JsonSchema, path: string): Findings {
    if (typesOfFacts(facts).length === 0) return []
    const values = namedValues(facts)
    if (values !== undefined) return this.#compareValues(values, facts, taken, path)
    const { facts: conditions, unions: _ } = conditionsOf([taken], this.#takenRoot)
    return conditions.flatMap((condition) => [
      ...this.#compareUnions(facts, condition, path),
      ...this.#compareTypes(facts, condition, path),
      ...(isTyped(facts, condition) ? this.#compareConditions(facts, condition, path) : []),
    ])
  }

  #compareValues(values: readonly unknown[], facts: Sent, taken: JsonSchema, path: string): Findings {
    // Null, true and false are all the values of their types.
    const rule = facts.some((fact) => fact['enum'] !== undefined || Object.hasOwn(fact, 'const')) ? 'enum' : 'type'
    return values.flatMap((value): Findings => {
      if (facts.some((fact) => accepts(value, fact, this.#sentRoot) === false)) return []
      const taking = accepts(value, taken, this.#takenRoot)
      if (taking === true) return []
      const text = JSON.stringify(value)
      return taking === false
        ? [proven(rule, path, `${text} may be sent, and is not taken`)]
        : [unproven(rule, path, `${text} may be sent, and it cannot be shown that it is taken`)]
    })
  }

  #compareUnions(facts: Sent, condition: JsonSchema, path: string): Findings {
    const findings: SchemaFinding[] = []
    if (condition['anyOf'] !== undefined) findings.push(...this.#compareUnion(facts, condition['anyOf'] as readonly unknown[], false, path))
    if (condition['oneOf'] !== undefined) findings.push(...this.#compareUnion(facts, condition['oneOf'] as readonly unknown[], true, path))
    if (condition['not'] !== undefined && !areDisjoint(facts, this.#sentRoot, [asSchema(condition['not'])], this.#takenRoot))
      findings.push(
        isNever(condition)
          ? proven('type', path, 'nothing is taken')
          : unproven('other', path, 'it cannot be shown that what "not" excludes is never sent'),
      )
    return findings
  }

  #compareUnion(facts: Sent, alternatives: readonly unknown[], exactlyOne: boolean, path: string): Findings {
    if (this.#isTooMuch()) return [unproven('union', path, 'the schemas are too intricate to be compared')]
    const possible = alternatives.map(asSchema).filter((schema) => !areDisjoint(facts, this.#sentRoot, [schema], this.#takenRoot))
    if (possible.length === 0) return [proven('union', path, `${describe(facts)} may be sent, and none of the alternatives takes it`)]
    const outcomes = possible.map((schema) => this.compare(facts, schema, path))
    const isTaken = outcomes.some((findings) => findings.length === 0)
    if (isTaken && !exactlyOne) return []
    // With one alternative that comes into question, what is wrong with that one is what is wrong.
    if (possible.length === 1) return outcomes[0]!
    const parts = partsOf(facts, this.#sentRoot)
    if (parts !== undefined) return parts.flatMap((part) => this.#compareUnion(part, alternatives, exactlyOne, path))
    return [
      unproven(
        'union',
        path,
        isTaken
          ? 'it cannot be shown that what is sent fits only one of the alternatives'
          : `it cannot be shown that one of the alternatives takes all that is sent: ${describe(facts)}`,
      ),
    ]
  }

  #compareTypes(facts: Sent, condition: JsonSchema, path: string): Findings {
    const findings: SchemaFinding[] = []
    const taken = condition['type'] === undefined ? undefined : ([condition['type']].flat() as readonly unknown[] as readonly string[])
    const refused =
      taken === undefined
        ? []
        : typesOfFacts(facts).filter((type) => !taken.some((one) => one === type || (one === 'number' && type === 'integer')))
    for (const type of refused) findings.push(proven('type', path, `${type} may be sent, and only ${taken!.join(' or ')} is taken`))
    const named = Object.hasOwn(condition, 'const') ? [condition['const']] : (condition['enum'] as readonly unknown[] | undefined)
    if (named !== undefined)
      findings.push(
        proven('enum', path, `${describe(facts)} may be sent, and only ${named.map((value) => JSON.stringify(value)).join(', ')} is taken`),
      )
    return findings
  }

  #compareConditions(facts: Sent, condition: JsonSchema, path: string): Findings {
    const types = typesOfFacts(facts)
    const findings: SchemaFinding[] = []
    if (types.includes('number') || types.includes('integer')) findings.push(...compareNumbers(facts, condition, path))
    if (types.includes('string')) findings.push(...compareStrings(facts, condition, path))
    if (types.includes('array')) findings.push(...this.#compareArrays(facts, condition, path))
    if (types.includes('object')) findings.push(...this.#compareObjects(facts, condition, path))
    for (const keyword of intricateConditionsIn(condition))
      if (!facts.some((fact) => this.#equivalence.holds(fact, condition)))
        findings.push(unproven('other', path, `it cannot be shown that "${keyword}" is satisfied`))
    return findings
  }

  #compareArrays(facts: Sent, condition: JsonSchema, path: string): Findings {
    const findings: SchemaFinding[] = []
    const most = lowest(facts, 'maxItems')
    findings.push(...compareCounts(facts, condition, path, 'minItems', 'maxItems', 'elements'))
    if (condition['uniqueItems'] === true && !facts.some((fact) => fact['uniqueItems'] === true) && (most === undefined || most > 1))
      findings.push(proven('items', path, 'equal elements may be sent, and are not taken'))
    const length = Math.max(prefixLength(facts), prefixLength([condition]))
    for (let index = 0; index <= length; index++) {
      if (most !== undefined && index >= most) break
      const elements = elementOf(facts, index)
      const [taken] = elementOf([condition], index)
      if (taken !== undefined) findings.push(...this.#inside(elements, taken, `${path}/${index === length ? '*' : index}`))
    }
    return findings
  }

  #compareObjects(facts: Sent, condition: JsonSchema, path: string): Findings {
    const findings: SchemaFinding[] = []
    const always = requiredOf(facts)
    for (const name of requiredOf([condition]))
      if (!always.has(name)) findings.push(proven('required', `${path}/${name}`, 'may be left out, and must be there'))
    for (const [name, property] of Object.entries(propertiesOf(condition))) {
      const field = fieldOf(facts, name)
      if (field === undefined) continue
      findings.push(...this.#inside(field, asSchema(property), `${path}/${name}`))
      if (this.#comparesDefaults && !always.has(name)) findings.push(...this.#compareDefaults(field, asSchema(property), `${path}/${name}`))
    }
    findings.push(...this.#compareOtherFields(facts, condition, path))
    findings.push(...this.#compareFieldNames(facts, condition, path))
    return findings
  }

  #compareOtherFields(facts: Sent, condition: JsonSchema, path: string): Findings {
    const others = condition['additionalProperties']
    // Of patterns for names nothing is shown anyway.
    if (others === undefined || others === true || condition['patternProperties'] !== undefined) return []
    const known = propertiesOf(condition)
    const refuses = isNever(asSchema(others))
    const fields = [...namesOf(facts)].filter((name) => !Object.hasOwn(known, name)).map((name) => [name, fieldOf(facts, name)] as const)
    const rest = otherFieldsOf(facts)
    return [...fields, ['*', rest] as const].flatMap(([name, field]): Findings => {
      if (field === undefined) return []
      if (refuses) return [proven('unknown-field', `${path}/${name}`, 'may be sent, and fields that are not known are refused')]
      return this.#inside(field, asSchema(others), `${path}/${name}`)
    })
  }

  #compareFieldNames(facts: Sent, condition: JsonSchema, path: string): Findings {
    const findings: SchemaFinding[] = []
    const rest = otherFieldsOf(facts)
    if (condition['propertyNames'] !== undefined) {
      const taken = asSchema(condition['propertyNames'])
      for (const name of namesOf(facts))
        if (fieldOf(facts, name) !== undefined && accepts(name, taken, this.#takenRoot) !== true)
          findings.push(unproven('fields', `${path}/${name}`, 'it cannot be shown that the name of the field is taken'))
      const names = facts.filter((fact) => fact['propertyNames'] !== undefined).map((fact) => asSchema(fact['propertyNames']))
      if (rest !== undefined) findings.push(...this.#inside([{ type: 'string' }, ...names], taken, `${path}/*`))
    }
    const most = lowest(facts, 'maxProperties') ?? (rest === undefined ? namesOf(facts).size : undefined)
    const least = Math.max(highest(facts, 'minProperties') ?? 0, requiredOf(facts).size)
    const [fewest, largest] = [condition['minProperties'] as number | undefined, condition['maxProperties'] as number | undefined]
    if (fewest !== undefined && least < fewest)
      findings.push(proven('fields', path, `fewer than ${fewest} fields may be sent, and are not taken`))
    if (largest !== undefined && (most === undefined || most > largest))
      findings.push(proven('fields', path, `more than ${largest} fields may be sent, and are not taken`))
    return findings
  }

  #compareDefaults(field: Sent, taken: JsonSchema, path: string): Findings {
    const before = defaultOf(field, this.#sentRoot)
    const now = defaultOf([taken], this.#takenRoot)
    if (before === undefined || sameJson(before.value, now?.value)) return []
    const text = now === undefined ? 'nothing' : JSON.stringify(now.value)
    return [proven('default', path, `when it is left out, it was ${JSON.stringify(before.value)} and is ${text}`)]
  }
}

/** Also that of an alternative: who leaves the value out gets the first there is. */
function defaultOf(schemas: Sent, root: JsonSchema, depth = 0): { readonly value: unknown } | undefined {
  if (depth > MAX_NESTING) return undefined
  const { facts, unions } = conditionsOf(schemas, root)
  const said = facts.find((fact) => Object.hasOwn(fact, 'default'))
  if (said !== undefined) return { value: said['default'] }
  for (const alternative of unions.flat()) {
    const inside = defaultOf([alternative], root, depth + 1)
    if (inside !== undefined) return inside
  }
  return undefined
}

function withoutUnions(schema: JsonSchema): JsonSchema {
  if (schema['anyOf'] === undefined && schema['oneOf'] === undefined && schema['allOf'] === undefined && schema['$ref'] === undefined)
    return schema
  const { anyOf: _any, oneOf: _one, allOf: _all, $ref: _reference, ...rest } = schema
  return rest
}

/** What is wrong with a type is said once; its particulars are looked at where the type fits. */
function isTyped(facts: Sent, condition: JsonSchema): boolean {
  if (condition['type'] === undefined) return true
  const taken = typesOfFacts([condition])
  return typesOfFacts(facts).some((type) => taken.includes(type) || (type === 'integer' && taken.includes('number')))
}

/** Splits what is sent into smaller parts that together are all of it: by type, or by the values of a field that has only certain ones. */
function partsOf(facts: Sent, root: JsonSchema): readonly Sent[] | undefined {
  const types = typesOfFacts(facts)
  if (types.length > 1) return types.map((type) => [...facts, { type }])
  if (types[0] !== 'object') return undefined
  for (const name of requiredOf(facts)) {
    const field = fieldOf(facts, name)
    const values = field && namedValues(conditionsOf(field, root).facts)
    if (values !== undefined && values.length > 1) return values.map((value) => [...facts, { properties: { [name]: { const: value } } }])
  }
  return undefined
}

function describe(facts: Sent): string {
  const types = typesOfFacts(facts)
  return types.length > 3 ? 'anything' : types.join(' or ')
}

function sameSchemas(one: Sent, other: Sent): boolean {
  return one.length === other.length && one.every((schema, index) => schema === other[index])
}
