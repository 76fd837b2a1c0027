/**
 * The boundary to HTTP/1.1: a listener that turns requests into routed calls with a JSON body already parsed and bounded,
 * and every failure into Problem Details. It drains without cutting anyone off.
 */
import { isUtf8 } from 'node:buffer'
import { once } from 'node:events'
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import { SkerryError } from '../base/errors.ts'
import { parseJson } from '../base/json.ts'
import type { Priority } from '../base/priority.ts'
import type { ProblemDetails } from '../contract/problem.ts'
import { platformProblem, PROBLEM_MEDIA_TYPE } from '../contract/problem.ts'
import type { Admission, Turn } from '../resilience/admission.ts'
import type { Log } from '../telemetry/log.ts'
import { readDeadline } from './deadline-header.ts'
import type { Route } from './router.ts'
import { createRoutes } from './router.ts'
import type { StreamSource } from './stream.ts'
import { Streams } from './stream.ts'

export interface HttpRequest {
  readonly parameters: Readonly<Record<string, string>>
  /** Without the question mark. */
  readonly query: string
  readonly headers: IncomingMessage['headers']
  /** The parsed JSON body; undefined when the request has none or the route takes none. */
  readonly body: unknown
  /** How long whoever asks still waited when it came; undefined when he has not said so. */
  readonly remainingMs: number | undefined
  /** How long it has waited for its turn since it came. */
  readonly waitedMs: number
  /** Aborts when the peer has gone. Made on demand. */
  readonly signal: () => AbortSignal
}

export interface HttpResponse {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON; undefined sends no body. */
  readonly body: unknown
  /** Sent as it is, in the place of a body; `headers` say what it is. */
  readonly text?: string
  /** Sent as it comes, in place of a body. */
  readonly stream?: StreamSource
}

export interface HttpTarget {
  /** The request's JSON body is read and parsed. */
  readonly takesBody: boolean
  /** Undefined: it is answered however much there is to do, as questions after health are. */
  readonly priority?: Priority
  /** How long whoever asks waits for the answer, when he does not say. */
  readonly deadlineMs?: number
  /** Runs the request; may throw or reject with a `SkerryError`, which becomes its problem. */
  readonly handle: (request: HttpRequest) => Promise<HttpResponse>
}

export interface HttpServerOptions {
  /** The interface to listen on. Default: 127.0.0.1, this machine only. */
  readonly host?: string
  /** 0 takes any free port. */
  readonly port: number
  readonly routes: readonly Route<HttpTarget>[]
  /** Default: 1 048 576. */
  readonly maxBodyBytes?: number
  /** Refuses what is too much. Default: everything is taken on. */
  readonly admission?: Admission | undefined
  /** Callers are other hosts of the system: they are believed how long they wait, and may change to the transport's own protocol. */
  readonly forPeers?: boolean
  readonly clock: Clock
  readonly log: Log
}

/** A protocol that a client may change to on its connection (RFC 9110, 7.8). */
export interface Upgrade {
  readonly protocol: string
  /** `answer` is what answers the requests that come as HTTP. */
  readonly open: (options: HttpServerOptions, answer: (message: IncomingHttpMessage) => Promise<HttpResponse>) => UpgradedConnections
}

/** Those that have changed to it. */
export interface UpgradedConnections {
  /** The change has been agreed to; `head` came behind the request. */
  take(socket: Duplex, head: Buffer): void
  /** Sends the clients elsewhere; each closes its connection when it has its answers, or is cut off when it does not. */
  drain(): void
  cut(): void
}

export interface HttpServer {
  readonly port: number
  /** `http://127.0.0.1:8080` */
  readonly url: string
  /** Since when nobody has been connected, in milliseconds since the epoch; undefined while somebody is. */
  readonly leftAtMs: number | undefined
  /** Serves a connection that somebody else has accepted. Undefined where there are no connections. */
  readonly serve?: (socket: Socket) => void
  /** From now on every answer says `Connection: close`, so that clients go elsewhere. */
  drain(): void
  /** Accepts nothing more and resolves when every request has been answered. `force` cuts off those that are left when it aborts. */
  close(force: AbortSignal): Promise<void>
}

const DEFAULT_MAX_BODY_BYTES = 1_048_576
/** Of a request whose peer has gone before it had its turn: nobody reads it. */
const GONE: HttpResponse = problemResponse(platformProblem('overloaded'))
// Longer than what proxies and clients keep idle connections for, else they reuse one that is being closed.
const KEEP_ALIVE_MS = 75_000
const HEADERS_MS = 20_000
const REQUEST_MS = 60_000

/** Starts listening. Rejects with `portInUse` when another process has the port. */
export async function startHttpServer(options: HttpServerOptions, upgrade?: Upgrade): Promise<HttpServer> {
  const answerMessage = httpAnswerer(options)
  const upgraded = upgrade?.open(options, answerMessage)
  let draining = false
  const streams = new Streams(options.clock)

  const server = createServer(
    // Node would answer for a missing Host itself, with an empty body.
    {
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      noDelay: true,
      requireHostHeader: false,
      // Who asks for anything else is answered as if it had not asked.
      shouldUpgradeCallback: ({ method, headers }) =>
        upgrade !== undefined && !draining && method === 'GET' && headers.upgrade === upgrade.protocol,
    },
    answerTo,
  )
  server.on('upgrade', (_request, socket, head) => {
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${upgrade!.protocol}\r\n\r\n`)
    upgraded!.take(socket, head)
  })
  // Expectations that we do not know are ignored, as nginx does and RFC 9110, 10.1.1 allows, instead of a 417 with an empty body.
  server.on('checkExpectation', answerTo)

  function answerTo(request: IncomingMessage, response: ServerResponse): void {
    serve(request, response).catch((error: unknown) => {
      options.log.error('A request could not be answered', { cause: error })
      response.destroy()
    })
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = await answerMessage({
      method: request.method ?? 'GET',
      url: request.url ?? '/',
      isOfVersion11: request.httpVersion === '1.1',
      headers: request.headers,
      readBody: (maxBytes) => readBody(request, maxBytes),
      signal: () => goneSignal(response),
    })
    if (answer.stream === undefined) write(request, response, answer, draining)
    else await streams.send(request, response, answer, answer.stream)
  }

  let connected = 0
  let onLeft = (): void => {}
  let leftAtMs: number | undefined = options.clock.nowMs()
  server.on('connection', (socket) => {
    connected++
    leftAtMs = undefined
    socket.once('close', () => {
      if (--connected > 0) return
      leftAtMs = options.clock.nowMs()
      onLeft()
    })
  })

  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    const tooLarge = error.code === 'HPE_HEADER_OVERFLOW'
    const body = JSON.stringify(
      platformProblem('malformedRequest', tooLarge ? 'The headers are too large' : 'The request is not valid HTTP/1.1'),
    )
    socket.end(
      `HTTP/1.1 400 Bad Request\r\nContent-Type: ${PROBLEM_MEDIA_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    )
  })

  const host = options.host ?? '127.0.0.1'
  await listen(server, options.port, host)
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    get leftAtMs() {
      return leftAtMs
    },
    serve: (socket) => void server.emit('connection', socket),
    drain() {
      draining = true
      streams.end()
      upgraded?.drain()
    },
    async close(force) {
      draining = true
      streams.end()
      upgraded?.drain()
      const closed = once(server, 'close')
      server.close()
      server.closeIdleConnections()
      const cut = (): void => {
        upgraded?.cut()
        server.closeAllConnections()
      }
      if (force.aborted) cut()
      else force.addEventListener('abort', cut, { once: true })
      await closed
      // Node does not wait for connections that others have accepted.
      if (connected > 0) await new Promise<void>((resolve) => (onLeft = resolve))
      force.removeEventListener('abort', cut)
    },
  }
}

/** A request as it arrives, whatever has carried it. */
export interface IncomingHttpMessage {
  readonly method: string
  readonly url: string
  readonly isOfVersion11: boolean
  readonly headers: IncomingMessage['headers']
  /** How long the peer waits for the answer, where what carries it says so itself. Default: what the headers say. */
  readonly remainingMs?: number | undefined
  /** Throws or rejects with a `SkerryError` when there is more of it, or it is not what its type says. */
  readonly readBody: (maxBytes: number) => unknown
  readonly signal: () => AbortSignal
}

/** Answers requests by their routes. Never rejects: what goes wrong is a problem. */
export function httpAnswerer({
  routes,
  maxBodyBytes = DEFAULT_MAX_BODY_BYTES,
  admission,
  forPeers = false,
  clock,
  log,
}: Pick<HttpServerOptions, 'routes' | 'maxBodyBytes' | 'admission' | 'forPeers' | 'clock' | 'log'>): (
  message: IncomingHttpMessage,
) => Promise<HttpResponse> {
  const router = createRoutes(routes)

  const routed = (message: IncomingHttpMessage): Routed => {
    const { method, url, isOfVersion11, headers } = message
    if (headers.host === undefined && isOfVersion11) throw new SkerryError('malformedRequest', 'The request has no Host header')
    const path = originForm(url)
    const mark = path.indexOf('?')
    const { target, parameters } = router.match(method, mark === -1 ? path : path.slice(0, mark))
    return {
      target,
      request: {
        parameters,
        query: mark === -1 ? '' : path.slice(mark + 1),
        headers,
        body: target.takesBody ? message.readBody(maxBodyBytes) : undefined,
        remainingMs: message.remainingMs ?? (forPeers ? readDeadline(headers) : undefined),
        waitedMs: 0,
        signal: () => message.signal(),
      },
    }
  }

  /** What an async function has at hand it keeps at each await: so this one has little. */
  return async (message) => {
    let turn: Turn | undefined
    try {
      const { target, request } = routed(message)
      if (request.body instanceof Promise) request.body = await request.body
      if (admission === undefined || target.priority === undefined) return await target.handle(request)
      const entered = admission.enter(target.priority, request.remainingMs ?? target.deadlineMs)
      if (entered instanceof Promise) {
        const cameMs = clock.nowMs()
        const later = await entered
        if (typeof later === 'number') return problemResponse(platformProblem('overloaded'), later)
        turn = later
        // Nobody waits for the answer any more.
        if (message.signal().aborted) return GONE
        request.waitedMs = Math.max(0, clock.nowMs() - cameMs)
      } else if (typeof entered === 'number') return problemResponse(platformProblem('overloaded'), entered)
      else turn = entered
      return await target.handle(request)
    } catch (error) {
      return failureResponse(error, log)
    } finally {
      turn?.end()
    }
  }
}

/** A request on its way to what serves its path. */
interface Routed {
  readonly target: HttpTarget
  readonly request: { -readonly [Member in keyof HttpRequest]: HttpRequest[Member] }
}

/** Path and query of a request target. One that is a whole URL must be accepted too, and only its path counts (RFC 9112, 3.2.2). */
function originForm(target: string): string {
  const authority = target.startsWith('/') ? null : /^https?:\/\/[^/?#]*/i.exec(target)
  if (authority === null) return target
  const rest = target.slice(authority[0].length)
  return rest.startsWith('/') ? rest : `/${rest}`
}

/** The answer for a problem: its media type, and Retry-After in whole seconds (RFC 9110, 10.2.3). */
export function problemResponse(problem: ProblemDetails, retryAfterMs?: number): HttpResponse {
  const headers: Record<string, string> = { 'content-type': PROBLEM_MEDIA_TYPE }
  if (retryAfterMs !== undefined || problem.status === 503)
    headers['retry-after'] = String(Math.max(1, Math.ceil((retryAfterMs ?? 1_000) / 1_000)))
  return { status: problem.status, headers, body: problem }
}

function failureResponse(error: unknown, log: Log): HttpResponse {
  if (!(error instanceof SkerryError) || error.status >= 500) {
    log.error('A request failed outside any operation', { cause: error })
    return problemResponse(platformProblem('internal'))
  }
  const response = problemResponse(platformProblem(error.code, error.message))
  const headers: Record<string, string> = { ...response.headers }
  const allow = error.data?.['allow']
  if (Array.isArray(allow)) headers['allow'] = allow.join(', ')
  // What is left of an unread body would be taken for the next request.
  if (error.code === 'bodyTooLarge') headers['connection'] = 'close'
  return { ...response, headers }
}

function readBody(request: IncomingMessage, maxBodyBytes: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) return reject(bodyTooLarge(maxBodyBytes))
    const chunks: Buffer[] = []
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > maxBodyBytes) {
        request.removeAllListeners('data')
        request.resume()
        return reject(bodyTooLarge(maxBodyBytes))
      }
      chunks.push(chunk)
    })
    request.on('end', () => {
      try {
        resolve(readJson(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks), request.headers['content-type']))
      } catch (error) {
        reject(error)
      }
    })
    request.on('error', () => reject(new SkerryError('malformedRequest', 'The request ended before its body did')))
  })
}

/** The value of a JSON body of that media type, which stands at `from` to `to`; undefined for an empty one. Throws a `SkerryError`. */
export function readJson(bytes: Buffer, type: string | undefined, from = 0, to = bytes.length): unknown {
  if (from === to) return undefined
  if (!isJson(type)) throw new SkerryError('unsupportedMediaType', `The body is ${type ?? 'of no stated type'}; send application/json`)
  const text = bytes.toString('utf8', from, to)
  // What is not UTF-8 has become this character; but it may also have been said.
  if (text.includes('\ufffd') && !isUtf8(bytes.subarray(from, to))) throw new SkerryError('malformedJson', 'The body is not valid UTF-8')
  return parseJson(text)
}

export function bodyTooLarge(maxBodyBytes: number): SkerryError {
  return new SkerryError('bodyTooLarge', `The body may have at most ${maxBodyBytes} bytes`)
}

function isJson(type: string | undefined): boolean {
  if (type === undefined) return false
  if (type === 'application/json') return true
  const media = type.split(';', 1)[0]!.trim().toLowerCase()
  return media === 'application/json' || (media.startsWith('application/') && media.endsWith('+json'))
}

function write(
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers, body, text = body === undefined ? undefined : JSON.stringify(body) }: HttpResponse,
  draining: boolean,
): void {
  const all: OutgoingHttpHeaders = { ...headers }
  if (draining) all['connection'] = 'close'
  if (text === undefined) {
    response.writeHead(status, all).end()
  } else {
    all['content-type'] ??= 'application/json'
    const bytes = Buffer.byteLength(text)
    all['content-length'] = bytes
    // Text of one byte a character is ASCII here, which Node writes faster when it is told so.
    response.writeHead(status, all).end(text, bytes === text.length ? 'latin1' : 'utf8')
  }
  // A body that the route did not read must be drained, or the connection cannot be reused.
  if (!request.complete) request.resume()
}

function goneSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController()
  if (response.closed) controller.abort()
  response.once('close', () => {
    if (!response.writableFinished) controller.abort()
  })
  return controller.signal
}

async function listen(server: ReturnType<typeof createServer>, port: number, host: string): Promise<void> {
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE')
      throw new SkerryError('portInUse', `Port ${port} on ${host} is in use. Stop what listens there, or choose another with PORT.`, {
        cause: error,
      })
    if (code === 'EACCES')
      throw new SkerryError('portInUse', `This user may not listen on port ${port}. Choose one from 1024 with PORT.`, { cause: error })
    throw new SkerryError('configurationInvalid', `Cannot listen on ${host}:${port}: ${(error as Error).message}`, { cause: error })
  }
}
