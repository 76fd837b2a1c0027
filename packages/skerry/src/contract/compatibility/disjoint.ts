/** Whether no value fits two schemas. Proves it or says no: a union of which exactly one alternative may hold needs the proof. */
import type { JsonSchema } from '../schema.ts'
import { accepts } from './accepts.ts'
import { conditionsOf, fieldOf, isNever, lowerBound, namedValues, requiredOf, typesOfFacts, upperBound } from './schema-reading.ts'

/** How deep fields are looked into: discriminators are near the surface. */
const MAX_DEPTH = 4

export function areDisjoint(
  one: readonly JsonSchema[],
  oneRoot: JsonSchema,
  other: readonly JsonSchema[],
  otherRoot: JsonSchema,
  depth = 0,
): boolean {
  if (depth > MAX_DEPTH) return false
  const left = conditionsOf(one, oneRoot)
  const right = conditionsOf(other, otherRoot)
  if (left.facts.some(isNever) || right.facts.some(isNever)) return true
  const within = (a: readonly JsonSchema[], b: readonly JsonSchema[]): boolean => areDisjoint(a, oneRoot, b, otherRoot, depth + 1)
  if (left.unions.some((alternatives) => alternatives.every((alternative) => within([...left.facts, alternative], other)))) return true
  if (right.unions.some((alternatives) => alternatives.every((alternative) => within(one, [...right.facts, alternative])))) return true
  const [a, b] = [left.facts, right.facts]
  const named = namedValues(a)
  if (named !== undefined && named.every((value) => b.some((fact) => accepts(value, fact, otherRoot) === false))) return true
  const otherNamed = namedValues(b)
  if (otherNamed !== undefined && otherNamed.every((value) => a.some((fact) => accepts(value, fact, oneRoot) === false))) return true
  const types = typesOfFacts(a).filter((type) => typesOfFacts(b).some((same) => asNumber(same) === asNumber(type)))
  return types.every((type) => {
    if (type === 'number' || type === 'integer') return areApart(a, b) || areApart(b, a)
    if (type !== 'object') return false
    const always = [...requiredOf(a)].filter((name) => requiredOf(b).has(name))
    return always.some((name) => {
      const [field, otherField] = [fieldOf(a, name), fieldOf(b, name)]
      return field !== undefined && otherField !== undefined && within(field, otherField)
    })
  })
}

function asNumber(type: string): string {
  return type === 'integer' ? 'number' : type
}

/** All numbers of the first are below those of the second. */
function areApart(low: readonly JsonSchema[], high: readonly JsonSchema[]): boolean {
  const most = upperBound(low)
  const least = lowerBound(high)
  if (most === undefined || least === undefined) return false
  return most.at < least.at || (most.at === least.at && (most.exclusive || least.exclusive))
}
