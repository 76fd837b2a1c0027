/** `skerry contract callers`: the deprecated operations of a system, and who still calls them. */
import type { AdminOptions, Call } from '../admin/access.ts'
import { withAdmin } from '../admin/access.ts'
import { print } from '../admin/command.ts'
import { age, oneLine } from '../admin/text.ts'

type Deprecated = Awaited<ReturnType<Call['listDeprecatedOperations']>>['operations'][number]

/** `service`: whose; undefined for all. */
export async function callers(service: string | undefined, options: AdminOptions): Promise<void> {
  const of = service === undefined ? {} : { service }
  await withAdmin({ ...options, ...of }, async (call, clock) => {
    const { operations } = await call.listDeprecatedOperations(of)
    if (options.json === true) return print(JSON.stringify({ operations }))
    const nowMs = clock.now().getTime()
    print(operations.length === 0 ? 'No operation is deprecated.' : operations.map((one) => deprecatedText(one, nowMs)).join('\n\n'))
  })
}

const HEADINGS = ['caller', 'calls', 'first call', 'last call']

function deprecatedText({ service, operation, since, sunset, instead, isCounted, callers: found }: Deprecated, nowMs: number): string {
  const gone = sunset === null ? '' : `, may be gone from ${oneLine(sunset)} on`
  const title = `${service}.${operation}  deprecated since ${oneLine(since)}${gone}`
  const lines = [title, ...(instead === null ? [] : [`  instead: ${oneLine(instead)}`])]
  if (!isCounted) return [...lines, '  Its calls are not counted: the service has no database to keep them in.'].join('\n')
  if (found.length === 0) return [...lines, '  No call of it has been counted.'].join('\n')
  const rows = found.map(({ caller, calls, firstAt, lastAt }) => [
    oneLine(caller),
    String(calls),
    firstAt,
    `${lastAt} (${age(nowMs - Date.parse(lastAt))})`,
  ])
  return [...lines, ...table([HEADINGS, ...rows])].join('\n')
}

/** Columns as wide as what is in them; the second one has numbers. */
function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) =>
    `  ${row.map((cell, column) => (column === 1 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!))).join('  ')}`.trimEnd(),
  )
}
