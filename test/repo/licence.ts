/** Which licences the packages that users run with us may have: permissive ones, whose terms ask for no more than notice. */

const allowed = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  'PostgreSQL',
  'Unlicense',
])

/** Whether an SPDX expression (or one of the older forms in manifests) can be satisfied with allowed licences alone. */
export function isAllowed(licence: unknown): boolean {
  if (typeof licence === 'string') return satisfies(licence)
  if (Array.isArray(licence)) return licence.some(isAllowed)
  if (typeof licence === 'object' && licence !== null && 'type' in licence) return isAllowed(licence.type)
  return false
}

// OR binds weaker than AND (SPDX 2.3, annex D); parentheses, which manifests hardly use, are resolved from the inside out.
function satisfies(expression: string): boolean {
  const inner = /\(([^()]*)\)/.exec(expression)
  if (inner !== null) return satisfies(expression.replace(inner[0], satisfies(inner[1] ?? '') ? 'MIT' : 'refused'))
  return expression.split(/\s+OR\s+/).some((all) => all.split(/\s+AND\s+/).every((one) => allowed.has(one.trim())))
}
