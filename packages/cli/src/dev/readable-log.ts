/** The log for people at a terminal: one short line for each of pino's, stacks below. */
import { stripVTControlCharacters, styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

const LEVEL_STYLES: Readonly<Record<string, Style>> = { debug: 'dim', info: 'cyan', warn: 'yellow', error: 'red' }
const LEVEL_WIDTH = 5

/** A destination for the platform's log that writes lines for people. Colours follow the terminal and NO_COLOR. */
export function readableLog(output: NodeJS.WritableStream): { write(line: string): void } {
  return {
    write(line) {
      output.write(readableLine(line, (style, text) => styleText(style, text, { stream: output })))
    },
  }
}

/** The line for people; what is not a log line stays as it is. */
export function readableLine(line: string, paint: (style: Style, text: string) => string = (_style, text) => text): string {
  let entry: Record<string, unknown>
  try {
    entry = JSON.parse(line) as Record<string, unknown>
  } catch {
    return line
  }
  const { level, time, msg, service, cause, spanId: _spanId, ...fields } = entry
  const name = String(level)
  const words = [
    paint('dim', clockTime(String(time))),
    paint(LEVEL_STYLES[name] ?? 'dim', name.padEnd(LEVEL_WIDTH)),
    ...(service === undefined ? [] : [`${plain(service)}:`]),
    plain(msg),
    ...Object.entries(fields).map(([key, value]) => paint('dim', `${key}=${plain(value)}`)),
  ]
  return `${words.join(' ')}\n${cause === undefined ? '' : indented(causeText(cause))}`
}

/** Local time to the second. */
export function clockTime(iso: string): string {
  const time = new Date(iso)
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':')
}

/** What others wrote into a log must not move the cursor of the terminal that shows it. */
function plain(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return stripVTControlCharacters(text)
}

function causeText(cause: unknown): string {
  if (typeof cause === 'object' && cause !== null && 'stack' in cause && typeof cause.stack === 'string')
    return stripVTControlCharacters(cause.stack)
  return plain(cause)
}

function indented(text: string): string {
  return `${text
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n')}\n`
}
