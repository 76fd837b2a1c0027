/** `skerry logs`: prints the last lines of the log, and with `--follow` those that come. */
import type { AdminOptions, Call } from '../admin/access.ts'
import { readableLine } from '../dev/readable-log.ts'
import { onStopSignal } from '../signals.ts'
import { withTelemetry } from './access.ts'
import { given, sinceTime } from './filter.ts'

export interface LogsOptions extends AdminOptions {
  readonly follow?: boolean
  readonly level?: 'debug' | 'info' | 'warn' | 'error'
  readonly trace?: string
  readonly text?: string
  readonly since?: number
  readonly limit: number
}

type Line = Awaited<ReturnType<Call['listLogLines']>>['lines'][number]

const MAX_PAGE = 200
const POLL_MS = 250

export async function logs({ follow, level, trace, text, since, limit, json, ...options }: LogsOptions): Promise<void> {
  const show = (lines: readonly Line[]): void => {
    for (const line of lines) process.stdout.write(json === true ? `${JSON.stringify(line)}\n` : readable(line))
  }
  await withTelemetry(options, async (call, clock) => {
    const filter = { level, service: options.service, traceId: trace?.toLowerCase(), text, since: sinceTime(since, clock) }
    const pages: (readonly Line[])[] = []
    let page = await call.listLogLines(given({ ...filter, limit: Math.min(limit, MAX_PAGE) }))
    let { newer } = page
    for (let left = limit - page.lines.length; ; left -= page.lines.length) {
      pages.unshift(page.lines)
      if (left <= 0 || page.older === null) break
      page = await call.listLogLines(given({ ...filter, before: page.older, limit: Math.min(left, MAX_PAGE) }))
    }
    show(pages.flat())
    if (follow !== true) return
    onStopSignal(
      async () => {},
      () => {},
    )
    for (;;) {
      const next = await call.listLogLines(given({ ...filter, after: newer, limit: MAX_PAGE }))
      show(next.lines)
      newer = next.newer
      if (next.lines.length < MAX_PAGE) await new Promise<void>((resolve) => clock.setTimer(POLL_MS, resolve))
    }
  })
}

/** As `skerry dev` shows it. */
function readable({ at, message, traceId, service, level, fields }: Line): string {
  const words = given({ service: service ?? undefined, traceId: traceId ?? undefined })
  return readableLine(JSON.stringify({ level, time: at, msg: message, ...words, ...(fields as Record<string, unknown>) }))
}
