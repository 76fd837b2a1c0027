/** The map of a system for people, in lines of 80 columns. */
import type { Call } from '../admin/access.ts'
import { oneLine } from '../admin/text.ts'
import { durationText } from './trace-text.ts'

type SystemMap = Awaited<ReturnType<Call['showMap']>>
type Observed = NonNullable<SystemMap['calls'][number]['observed']>

const WIDTH = 80
const LABEL_WIDTH = 45
const WIDTHS = [8, 7, 10, 10] as const
const COLUMNS = ['per min', 'failed', 'p50', 'p95']

export function mapText(map: SystemMap): string {
  const calls = map.calls.map(({ from, to, ...edge }) => ({ ...edge, label: `${from} → ${to}` }))
  const events = map.events.map(({ event, to, ...edge }) => ({ ...edge, label: `${event} → ${to}`, operations: [] }))
  const look = secondLook(map)
  return [
    `From ${map.spans} spans, ${map.from} to ${map.to}`,
    '',
    ...section('calls', calls),
    '',
    ...section('events', events),
    '',
    look.length === 0 ? 'Nothing deserves a second look.' : 'Worth a second look:',
    ...look.map((text) => `  ${oneLine(text)}`),
  ].join('\n')
}

interface Edge extends Pick<SystemMap['calls'][number], 'isDeclared' | 'observed' | 'operations'> {
  readonly label: string
}

function section(title: string, edges: readonly Edge[]): string[] {
  const unseen = edges.filter(({ observed }) => observed === null).map(({ label }) => label)
  return [
    row(title, COLUMNS),
    ...edges.flatMap(({ label, observed, operations }) =>
      observed === null ? [] : [row(`  ${label}`, cells(observed)), ...operations.map((one) => row(`    ${one.name}`, cells(one)))],
    ),
    ...(unseen.length === 0 ? [] : ['', `${title}: declared, and not seen`, ...wrapped(unseen)]),
  ]
}

function secondLook({ services, calls, events, chatty, cycles, deep }: SystemMap): string[] {
  return [
    ...services.flatMap(({ name, isDeclared }) => (isDeclared ? [] : [`${name} is no service of this system`])),
    ...calls.flatMap(({ from, to, isDeclared }) => (isDeclared ? [] : [`not declared: ${from} calls ${to}`])),
    ...events.flatMap(({ event, to, isDeclared }) => (isDeclared ? [] : [`not declared: ${to} handles ${event}`])),
    ...chatty.map(({ from, to, calls: count, traceId }) => `chatty: ${from} → ${to}, ${count} calls in one trace: ${traceId}`),
    ...cycles.map(
      ({ services: round, traceId }) =>
        `cycle: ${round.join(' → ')}, ${traceId === null ? 'not seen within one call' : `within one call: ${traceId}`}`,
    ),
    ...deep.map(({ services: chain, traceId }) => `deep: ${chain.join(' → ')}: ${traceId}`),
  ]
}

function cells({ perMinute, errorShare, p50Ms, p95Ms }: Observed): readonly string[] {
  return [
    perMinute < 10 ? perMinute.toFixed(1) : perMinute.toFixed(0),
    errorShare === 0 ? '-' : `${(errorShare * 100).toFixed(errorShare < 0.1 ? 1 : 0)} %`,
    durationText(p50Ms),
    durationText(p95Ms),
  ]
}

/** A label that is too long has a line of its own. */
function row(label: string, values: readonly string[]): string {
  const numbers = values.map((value, index) => value.padStart(WIDTHS[index]!)).join('')
  const text = oneLine(label)
  return text.length > LABEL_WIDTH ? `${text}\n${' '.repeat(LABEL_WIDTH)}${numbers}` : `${text.padEnd(LABEL_WIDTH)}${numbers}`
}

function wrapped(labels: readonly string[]): string[] {
  const lines: string[] = []
  for (const label of labels.map(oneLine)) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + label.length + 2 <= WIDTH) lines[lines.length - 1] = `${last}, ${label}`
    else lines.push(`  ${label}`)
  }
  return lines
}
