/** A problem is an answer that a contract declares besides the good one. On the wire it is Problem Details (RFC 9457). */
import type { ErrorCode } from '../base/errors.ts'
import { ERRORS } from '../base/errors.ts'
import type { InputOf, Issue, Schema } from './schema.ts'
import type { TimeSpent } from './time-spent.ts'
import { describeTime } from './time-spent.ts'

export interface Problem<S extends Schema | undefined = Schema | undefined> {
  readonly kind: 'problem'
  readonly status: number
  readonly title: string
  /** The schema of the particulars that travel in the member `data`. */
  readonly data: S
}

export type Problems = Readonly<Record<string, Problem>>

/** What a handler gives to `fail.x(…)` and a caller finds in `error.data`. */
export type ProblemData<P extends Problem> = P['data'] extends Schema ? InputOf<P['data']> : Record<never, never>

/**
 * Declares a problem: an HTTP status from 400 to 599, a short title for people, and optionally a schema of particulars.
 * A number of milliseconds in the particular `retryAfterMs` is sent as the header Retry-After too.
 *
 * @example problem(409, 'Not enough stock', z.object({ sku: z.string() }))
 */
export function problem(status: number, title: string): Problem<undefined>
export function problem<S extends Schema>(status: number, title: string, data: S): Problem<S>
export function problem(status: number, title: string, data?: Schema): Problem {
  if (!Number.isInteger(status) || status < 400 || status > 599)
    throw new TypeError(`problem(${status}, "${title}"): the status must be a whole number from 400 to 599`)
  if (title.trim() === '') throw new TypeError(`problem(${status}, "${title}"): the title must say in a few words what is wrong`)
  return Object.freeze({ kind: 'problem', status, title, data })
}

/** The body of an answer of type `application/problem+json`. */
export interface ProblemDetails {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  /** Our extension members: the code that programs compare, the particulars, the fields that were wrong, the trace to look for. */
  readonly code: string
  readonly data?: unknown
  readonly errors?: readonly Issue[]
  readonly traceId?: string
  /** Of an answer that came too late: where the time went. */
  readonly timing?: readonly TimeSpent[]
}

export const PROBLEM_MEDIA_TYPE = 'application/problem+json'

/** Problem Details for an error of the platform's own catalogue. */
export function platformProblem(
  code: ErrorCode,
  detail: string = ERRORS[code].title,
  more: { errors?: readonly Issue[]; data?: unknown; traceId?: string } = {},
): ProblemDetails {
  const { status, title } = ERRORS[code]
  return { type: `urn:problem:skerry:${code}`, title, status, detail, code, ...more }
}

/** The problem of an answer that is not there in time, with where the time went as far as that is known. */
export function deadlineProblem(what: string, timing: readonly TimeSpent[], more: { traceId?: string } = {}): ProblemDetails {
  if (timing.length === 0) return platformProblem('deadlineExceeded', what, more)
  return { ...platformProblem('deadlineExceeded', `${what}: ${describeTime(timing)}`, more), timing }
}

/** Problem Details for a problem that a contract declares. */
export function declaredProblem(contract: string, code: string, declared: Problem, detail: string, data: unknown): ProblemDetails {
  return {
    type: `urn:problem:${contract}:${code}`,
    title: declared.title,
    status: declared.status,
    detail,
    code,
    ...(declared.data === undefined ? {} : { data }),
  }
}
