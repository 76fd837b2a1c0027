/** Whether the numbers and the text that are sent are taken. */
import type { JsonSchema } from '../schema.ts'
import type { Findings, SchemaFinding, Sent } from './schema-finding.ts'
import { proven, unproven } from './schema-finding.ts'
import type { Bound } from './schema-reading.ts'
import { highest, isMultiple, lowerBound, lowest, typesOfFacts, upperBound } from './schema-reading.ts'

export function compareNumbers(facts: Sent, condition: JsonSchema, path: string): Findings {
  const findings: SchemaFinding[] = []
  const [least, most] = [lowerBound(facts), upperBound(facts)]
  const [lower, upper] = [lowerBound([condition]), upperBound([condition])]
  if (lower !== undefined && !isInside(least, lower, 1))
    findings.push(
      proven(
        'range',
        path,
        `${range(least, 'as little as')} may be sent, and only ${lower.exclusive ? 'more than' : 'from'} ${lower.at} is taken`,
      ),
    )
  if (upper !== undefined && !isInside(most, upper, -1))
    findings.push(
      proven(
        'range',
        path,
        `${range(most, 'as much as')} may be sent, and only ${upper.exclusive ? 'less than' : 'up to'} ${upper.at} is taken`,
      ),
    )
  const step = condition['multipleOf'] as number | undefined
  const steps = facts.map((fact) => fact['multipleOf'] as number | undefined).filter((one) => one !== undefined)
  const whole = typesOfFacts(facts).every((type) => type !== 'number')
  if (step !== undefined && ![...steps, ...(whole ? [1] : [])].some((one) => isMultiple(one, step)))
    findings.push(proven('multiple', path, `what is no multiple of ${step} may be sent, and is not taken`))
  return findings
}

function isInside(bound: Bound | undefined, limit: Bound, direction: 1 | -1): boolean {
  if (bound === undefined) return false
  if (bound.at === limit.at) return bound.exclusive || !limit.exclusive
  return direction * (bound.at - limit.at) > 0
}

function range(bound: Bound | undefined, words: string): string {
  return bound === undefined ? 'any number' : `${words} ${bound.at}`
}

export function compareStrings(facts: Sent, condition: JsonSchema, path: string): Findings {
  const findings: SchemaFinding[] = [...compareCounts(facts, condition, path, 'minLength', 'maxLength', 'characters')]
  const { pattern, format } = condition as { pattern?: string; format?: string }
  if (pattern !== undefined && !facts.some((fact) => fact['pattern'] === pattern))
    findings.push(unproven('pattern', path, `it cannot be shown that all that is sent matches ${pattern}`))
  if (format !== undefined && !facts.some((fact) => fact['format'] === format)) {
    const others = facts.flatMap((fact) => [fact['format'], fact['pattern']]).filter((one) => typeof one === 'string')
    findings.push(
      others.length === 0
        ? proven('format', path, `any text may be sent, and only ${format} is taken`)
        : unproven('format', path, `${others.join(' and ')} may be sent, and it cannot be shown that all of it is ${format}`),
    )
  }
  return findings
}

/** How long text or a list is. */
export function compareCounts(facts: Sent, condition: JsonSchema, path: string, least: string, most: string, what: string): Findings {
  const findings: SchemaFinding[] = []
  const [fewest, largest] = [condition[least] as number | undefined, condition[most] as number | undefined]
  if (fewest !== undefined && fewest > 0 && (highest(facts, least) ?? 0) < fewest)
    findings.push(proven('length', path, `fewer than ${fewest} ${what} may be sent, and are not taken`))
  if (largest !== undefined && (lowest(facts, most) ?? Infinity) > largest)
    findings.push(proven('length', path, `more than ${largest} ${what} may be sent, and are not taken`))
  return findings
}
