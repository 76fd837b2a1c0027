/**
 * Recent telemetry as it comes, as streams of server-sent events, which a contract cannot describe: `/telemetry/live/spans` and
 * `/telemetry/live/logs`. A client that was cut off goes on where it was, by Last-Event-ID; what it missed for good it is told. One that reads
 * slowly is sent less often: nothing is kept for it, because all that it has yet to read is in the store.
 */
import type { Clock } from '../../base/clock.ts'
import { sleep } from '../../base/clock.ts'
import { SkerryError } from '../../base/errors.ts'
import { platformProblem } from '../../contract/problem.ts'
import type { Route } from '../../http/router.ts'
import type { HttpRequest, HttpResponse, HttpTarget } from '../../http/server.ts'
import { problemResponse } from '../../http/server.ts'
import type { LineFilter } from '../../recent/lines.ts'
import type { RecentReader } from '../../recent/reader.ts'
import { LEVELS } from './telemetry-contract.ts'
import { lineView, spanView } from './telemetry-views.ts'

const POLL_MS = 250
const HEARTBEAT_MS = 15_000
/** Events that are sent at once. */
const PAGE = 200
const MAX_STREAMS = 32

export function liveRoutes(read: RecentReader, clock: Clock): readonly Route<HttpTarget>[] {
  let streams = 0

  const route = (path: string, table: 'span' | 'line', pageFor: (query: URLSearchParams) => ReadPage): Route<HttpTarget> => {
    const handle = async (request: HttpRequest): Promise<HttpResponse> => {
      const readPage = pageFor(new URLSearchParams(request.query))
      const from = startOf(request) ?? read.ends(table).last
      if (streams >= MAX_STREAMS) return problemResponse(platformProblem('overloaded', `This host serves ${MAX_STREAMS} streams already`))
      const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' }
      return { status: 200, headers, body: undefined, stream: (ended) => counted(events(table, from, readPage, ended)) }
    }
    return { method: 'GET', path, target: { takesBody: false, handle } }
  }

  async function* counted(stream: AsyncIterable<string>): AsyncIterable<string> {
    streams++
    try {
      yield* stream
    } finally {
      streams--
    }
  }

  async function* events(table: 'span' | 'line', from: number, readPage: ReadPage, ended: AbortSignal): AsyncIterable<string> {
    let after = from
    yield 'retry: 1000\n\n'
    for (let silentMs = 0; !ended.aborted; silentMs += POLL_MS) {
      const { first, last } = read.ends(table)
      // The file was made anew: its rows are numbered from the beginning again.
      if (last < after) after = 0
      if (first > after + 1 && after > 0) yield `event: gap\ndata: ${JSON.stringify({ after, first })}\n\n`
      const page = readPage(after, PAGE)
      after = page.length === PAGE ? page.at(-1)!.id : Math.max(after, last, page.at(-1)?.id ?? 0)
      if (page.length > 0) {
        yield page.map(({ id, view }) => `id: ${id}\ndata: ${JSON.stringify(view)}\n\n`).join('')
        silentMs = 0
      } else if (silentMs >= HEARTBEAT_MS) {
        yield ': nothing new\n\n'
        silentMs = 0
      }
      if (page.length < PAGE) await sleep(clock, POLL_MS, ended)
    }
  }

  return [
    route('/telemetry/live/spans', 'span', (query) => {
      const service = query.get('service')
      return (after, limit) => read.spansAfter(after, limit, service ?? undefined).map((span) => ({ id: span.id, view: spanView(span) }))
    }),
    route('/telemetry/live/logs', 'line', (query) => {
      const filter = { level: levelIn(query), service: query.get('service') ?? undefined, traceId: query.get('traceId') ?? undefined }
      return (after, limit) => read.lines(filter, { after }, limit).map((line) => ({ id: line.id, view: lineView(line) }))
    }),
  ]
}

type ReadPage = (after: number, limit: number) => readonly { readonly id: number; readonly view: unknown }[]

/** From where the client wants to go on; undefined: it wants what comes. */
function startOf({ headers, query }: HttpRequest): number | undefined {
  const given = headers['last-event-id'] ?? new URLSearchParams(query).get('after')
  if (given === null) return undefined
  if (typeof given === 'string' && /^\d{1,15}$/.test(given)) return Number(given)
  throw new SkerryError('invalidInput', 'Last-Event-ID, or "after", is not the id of an event of this stream')
}

function levelIn(query: URLSearchParams): LineFilter['level'] {
  const given = query.get('level')
  const level = LEVELS.find((one) => one === given)
  if (given !== null && level === undefined) throw new SkerryError('invalidInput', `level: expected one of ${LEVELS.join(', ')}`)
  return level
}
