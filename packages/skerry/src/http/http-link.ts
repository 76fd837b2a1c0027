/** The link to a service behind HTTP: sends exactly what the contract says, and trusts nothing of the answer before it has checked it. */
import { Pool } from 'undici'
import type { Clock } from '../base/clock.ts'
import { SkerryError } from '../base/errors.ts'
import type { CallResponse, Link } from '../client/link.ts'
import type { BoundOperation } from '../contract/bound-operation.ts'
import type { ProblemDetails } from '../contract/problem.ts'
import { platformProblem } from '../contract/problem.ts'
import { validate } from '../contract/schema.ts'
import { readTimeSpent } from '../contract/time-spent.ts'
import { formatTraceparent } from '../telemetry/trace-context.ts'
import { writeDeadline } from './deadline-header.ts'
import { DEGRADED, readDegraded } from './degraded-header.ts'

export interface HttpLinkOptions {
  /** `http://user-service:8000`, without a path or with a prefix. */
  readonly baseUrl: string
  readonly clock: Clock
  /** Default: 4 MiB. */
  readonly maxAnswerBytes?: number
}

export const DEFAULT_MAX_ANSWER_BYTES = 4 * 1_048_576
// Below the 5 s for which a host that stops still answers those who have not heard of it: it never closes a connection that is about to be used.
const IDLE_MS = 4_000
const CONNECT_MS = 3_000
// As many as calls may be in progress: one that waited here for a connection would wait unseen by the service, which could not refuse it.
const CONNECTIONS = 1_000

/** What a link sends of a call, and whoever carries it delivers. */
export interface HttpMessage {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
  /** Aborts when the caller stops waiting. */
  readonly signal: () => AbortSignal
}

export interface HttpAnswer {
  readonly status: number
  readonly text: string
  readonly retryAfter: string | undefined
  /** The header Skerry-Degraded. */
  readonly degraded?: string | undefined
  /** Whoever answered closes the connection, as one does that is about to stop. */
  readonly closes?: boolean | undefined
}

/** Carries one message to a service and its answer back. Rejects with a `SkerryError` (`unavailable`) when no answer came. */
export type HttpCarrier = (message: HttpMessage) => Promise<HttpAnswer>

/** A link over whatever carries HTTP messages. */
export function linkOver(carry: HttpCarrier, clock: Clock): Omit<Link, 'close'> {
  return {
    async send(request) {
      const { operation, input, trace, signal } = request
      const { target, body } = operation.http.encode(input)
      const text = body === undefined ? undefined : JSON.stringify(body)
      const headers: Record<string, string> = {
        accept: 'application/json',
        traceparent: formatTraceparent(trace),
        ...(text === undefined ? {} : { 'content-type': 'application/json' }),
        ...(request.userAgent === undefined ? {} : { 'user-agent': request.userAgent }),
        ...(request.idempotencyKey === undefined ? {} : { 'idempotency-key': request.idempotencyKey }),
        ...(Number.isFinite(request.deadlineAtMs) ? writeDeadline(request.deadlineAtMs - clock.nowMs()) : {}),
      }
      const answer = await carry({ method: operation.operation.method, path: target, headers, body: text, signal })
      const response = interpret(operation, answer)
      return answer.closes === true ? { ...(await response), leaving: true } : response
    },
  }
}

export function httpLink({ baseUrl, clock, maxAnswerBytes = DEFAULT_MAX_ANSWER_BYTES }: HttpLinkOptions): Link {
  const { origin, pathname } = new URL(baseUrl)
  const prefix = pathname.replace(/\/$/, '')
  // Deadlines are the caller's, on its own clock: undici's timers are off.
  const pool = new Pool(origin, {
    connections: CONNECTIONS,
    keepAliveTimeout: IDLE_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: CONNECT_MS },
  })

  const carry: HttpCarrier = (message) => exchange(pool, baseUrl, { ...message, path: prefix + message.path }, maxAnswerBytes)
  return { ...linkOver(carry, clock), close: () => pool.destroy() }
}

async function exchange(
  pool: Pool,
  baseUrl: string,
  { method, path, headers, body, signal }: HttpMessage,
  maxAnswerBytes: number,
): Promise<HttpAnswer> {
  try {
    const response = await pool.request({ path, method, headers, body: body ?? null, signal: signal() })
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > maxAnswerBytes) throw new Error(`its answer is larger than ${maxAnswerBytes} bytes`)
      chunks.push(chunk)
    }
    const retryAfter = response.headers['retry-after']
    const degraded = response.headers[DEGRADED]
    return {
      status: response.statusCode,
      text: Buffer.concat(chunks).toString('utf8'),
      retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined,
      degraded: typeof degraded === 'string' ? degraded : undefined,
      closes: response.headers['connection'] === 'close',
    }
  } catch (error) {
    const { code, message, syscall } = error as NodeJS.ErrnoException
    throw new SkerryError('unavailable', `${baseUrl}: ${code ?? message}`, {
      cause: error,
      data: { unsent: isOfConnecting(code, syscall) },
    })
  }
}

/** The request has never left. */
function isOfConnecting(code: string | undefined, syscall: string | undefined): boolean {
  return syscall === 'connect' || syscall === 'getaddrinfo' || code === 'ECONNREFUSED' || code === 'UND_ERR_CONNECT_TIMEOUT'
}

/** What an answer of a service says of the call. Trusts nothing of it. */
export function interpret({ fullName, operation }: BoundOperation, answer: HttpAnswer): CallResponse | Promise<CallResponse> {
  let json: unknown
  try {
    json = answer.text === '' ? undefined : JSON.parse(answer.text)
  } catch {
    return broken(fullName, `it answered ${answer.status} with a body that is not JSON`)
  }
  if (answer.status >= 200 && answer.status < 300) {
    const degraded = answer.degraded === undefined ? undefined : { degraded: readDegraded(answer.degraded) }
    if (operation.output === undefined) return { ok: true, output: undefined, ...degraded }
    const validation = validate(operation.output, json)
    const check = (checked: Awaited<typeof validation>): CallResponse =>
      checked.ok
        ? { ok: true, output: checked.value, ...degraded }
        : broken(
            fullName,
            `it answered what its contract does not promise: ${checked.issues.map((issue) => `${issue.path} ${issue.message}`).join('; ')}`,
          )
    return validation instanceof Promise ? validation.then(check) : check(validation)
  }
  const retryAfterMs =
    answer.retryAfter !== undefined && /^\d{1,6}$/.test(answer.retryAfter) ? Number(answer.retryAfter) * 1_000 : undefined
  return { ok: false, problem: asProblem(answer.status, json), retryAfterMs }
}

/** Problem Details as received, or made from the status when the peer is not one of ours. */
function asProblem(status: number, json: unknown): ProblemDetails {
  const given = typeof json === 'object' && json !== null ? (json as Partial<ProblemDetails>) : {}
  const title = typeof given.title === 'string' ? given.title : `HTTP ${status}`
  const { timing: told, ...members } = given
  const timing = readTimeSpent(told)
  return {
    ...members,
    ...(timing.length === 0 ? {} : { timing }),
    type: typeof given.type === 'string' ? given.type : 'about:blank',
    title,
    status,
    detail: typeof given.detail === 'string' ? given.detail : title,
    code: typeof given.code === 'string' ? given.code : `http${status}`,
  }
}

function broken(fullName: string, reason: string): CallResponse {
  return { ok: false, problem: platformProblem('unavailable', `${fullName} broke its contract`), reason }
}
