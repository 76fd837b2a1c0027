/** Whether two schemas say the same, each in its own document: what has not changed needs no proof. */
import { sameJson } from '../../base/json.ts'
import { dereference } from '../json-schema.ts'
import type { JsonSchema } from '../schema.ts'
import { conditionsIn } from './schema-reading.ts'

export class Equivalence {
  readonly #oneRoot: JsonSchema
  readonly #otherRoot: JsonSchema
  readonly #alsoCompared: readonly string[]
  readonly #same: Pairs = new Map()
  readonly #different: Pairs = new Map()
  /** What is being shown: a schema that refers to itself is followed once. It is worth nothing when what it is part of does not hold. */
  #supposed: Pairs = new Map()

  /** `alsoCompared`: keywords that say nothing about which values are valid, and matter all the same. */
  constructor(oneRoot: JsonSchema, otherRoot: JsonSchema, alsoCompared: readonly string[]) {
    this.#alsoCompared = alsoCompared
    this.#oneRoot = oneRoot
    this.#otherRoot = otherRoot
  }

  /** Same conditions, in the same form; references are followed, descriptions are not looked at. */
  holds(one: unknown, other: unknown): boolean {
    this.#supposed = new Map()
    const same = this.#suppose(one, other)
    if (same) for (const [mine, all] of this.#supposed) for (const theirs of all) learn(this.#same, mine, theirs)
    return same
  }

  #suppose(one: unknown, other: unknown): boolean {
    if (typeof one !== 'object' || one === null || typeof other !== 'object' || other === null) return one === other
    if (knows(this.#different, one, other)) return false
    if (knows(this.#same, one, other) || knows(this.#supposed, one, other)) return true
    learn(this.#supposed, one, other)
    const same = this.#compare(one as JsonSchema, other as JsonSchema)
    // What differs although other things were supposed to be the same differs for certain.
    if (!same) learn(this.#different, one, other)
    return same
  }

  #compare(one: JsonSchema, other: JsonSchema): boolean {
    const keywords = this.#keywordsOf(one)
    if (keywords.length !== this.#keywordsOf(other).length) return false
    return keywords.every((keyword) => {
      if (!Object.hasOwn(other, keyword)) return false
      const [mine, theirs] = [one[keyword], other[keyword]]
      if (keyword === '$ref')
        return this.#suppose(dereference(mine as string, this.#oneRoot), dereference(theirs as string, this.#otherRoot))
      if (SCHEMAS.has(keyword)) return this.#suppose(mine, theirs)
      if (LISTS.has(keyword)) return this.#sameLists(mine, theirs)
      if (MAPS.has(keyword)) return this.#sameMaps(mine, theirs)
      if (SETS.has(keyword)) return sameJson(sorted(mine), sorted(theirs))
      return sameJson(mine, theirs)
    })
  }

  #keywordsOf(schema: JsonSchema): readonly string[] {
    return [...conditionsIn(schema), ...this.#alsoCompared.filter((keyword) => Object.hasOwn(schema, keyword))]
  }

  #sameLists(one: unknown, other: unknown): boolean {
    if (!Array.isArray(one) || !Array.isArray(other)) return this.#suppose(one, other)
    return one.length === other.length && one.every((schema, index) => this.#suppose(schema, other[index]))
  }

  #sameMaps(one: unknown, other: unknown): boolean {
    const [mine, theirs] = [Object.entries(one as object), new Map(Object.entries(other as object))]
    return mine.length === theirs.size && mine.every(([name, schema]) => theirs.has(name) && this.#suppose(schema, theirs.get(name)))
  }
}

type Pairs = Map<object, Set<object>>

const SCHEMAS = new Set([
  'not',
  'if',
  'then',
  'else',
  'items',
  'additionalItems',
  'unevaluatedItems',
  'contains',
  'additionalProperties',
  'unevaluatedProperties',
  'propertyNames',
])
const LISTS = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems'])
const MAPS = new Set(['properties', 'patternProperties', 'dependentSchemas'])
const SETS = new Set(['required', 'enum', 'type'])

function sorted(values: unknown): unknown {
  return Array.isArray(values) ? values.map((value) => JSON.stringify(value)).toSorted() : values
}

function knows(pairs: Pairs, one: object, other: object): boolean {
  return pairs.get(one)?.has(other) === true
}

function learn(pairs: Pairs, one: object, other: object): void {
  const known = pairs.get(one) ?? new Set()
  pairs.set(one, known)
  known.add(other)
}
