/** A verdict for people. */
import { styleText } from 'node:util'
import type { JudgedChange, Verdict } from './verdict.ts'

export function verdictText({ service, version, released, needs, changes, refusals }: Verdict): string {
  const mark = refusals.length === 0 ? styleText('green', '✓') : styleText('red', '✗')
  const summary = refusals.length === 0 ? summaryOf(released, needs, version, changes.length) : refusals.join('; ')
  return [`${mark} ${styleText('bold', service)} ${version}  ${summary}`, ...changes.map((change) => changeText(service, change))].join(
    '\n\n',
  )
}

function summaryOf(released: string | undefined, needs: string, version: string, changes: number): string {
  if (changes === 0) return 'as released'
  return released === version ? `as ${needs} allows` : `since ${released}: the version is right`
}

function changeText(
  service: string,
  { kind, rule, where, path, message, breaks, advice, proven, since, announced, accepted }: JudgedChange,
): string {
  const word = kind === 'breaking' ? (accepted !== undefined ? 'accepted' : proven ? 'breaking' : 'may break') : kind
  const lines = [
    `    ${styleText(kind === 'breaking' ? 'red' : 'dim', word)}  ${where}${path === '' ? '' : `  ${path}`}  ${styleText('dim', rule)}`,
    `      ${message}`,
  ]
  if (kind !== 'breaking') return lines.join('\n')
  if (breaks.length > 0) lines.push(`      whom: ${breaks.join(', ')} (since ${since})`)
  if (accepted !== undefined) lines.push(`      because: ${accepted}`)
  else if (announced) lines.push('      The new major version says so; let nobody run who knows the old one.')
  else lines.push(`      instead: ${advice}`)
  if (accepted === undefined && !announced && !proven)
    lines.push(
      `      or, when you have made sure of it, in accepted.json: ${JSON.stringify({ service, since, where, path, rule, why: '' })}`,
    )
  return lines.join('\n')
}
