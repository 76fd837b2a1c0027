/** An operation is one typed request and response with its HTTP mapping. `get`, `post`, `put`, `patch` and `del` declare one. */
import type { Duration } from '../base/duration.ts'
import { milliseconds } from '../base/duration.ts'
import type { Priority } from '../base/priority.ts'
import type { Deprecation } from './deprecation.ts'
import type { Problems } from './problem.ts'
import type { InputOf, Schema } from './schema.ts'
import { nothing } from './schema.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export interface Operation<I extends Schema = Schema, O extends Schema | undefined = Schema | undefined, E extends Problems = Problems> {
  readonly kind: 'operation'
  readonly method: Method
  /** As written: `/orders/{orderId}`. A trailing slash is neither required nor refused in a request. */
  readonly path: string
  readonly input: I
  readonly output: O
  readonly errors: E
  readonly status: number
  readonly summary: string | undefined
  /** Repeating it has no further effect, so that a caller may retry it. GET, PUT and DELETE are, unless declared otherwise. */
  readonly idempotent: boolean
  readonly deadlineMs: number
  readonly priority: Priority
  readonly scopes: readonly string[]
  /** Reachable from outside, through the gateway. */
  readonly public: boolean
  readonly deprecated: Deprecation | undefined
}

/**
 * Whether a request with a key and its repetitions get one answer, the first. PUT and DELETE, declared idempotent or not, are repeated as
 * they are: that does no harm, but may be answered otherwise.
 */
export function keepsAnswer({ idempotent, method }: Pick<Operation, 'idempotent' | 'method'>): boolean {
  return idempotent && (method === 'POST' || method === 'PATCH')
}

export interface OperationOptions<I, O, E> {
  /** What the caller sends: path parameters, then query (GET, DELETE) or JSON body. Default: nothing. */
  readonly input?: I
  /** What the caller gets. Default: nothing, HTTP 204. */
  readonly output?: O
  /** The problems it may answer with besides. */
  readonly errors?: E
  /** HTTP status of the good answer. Default: 200, or 204 without output. */
  readonly status?: number
  /** One line for the API reference. */
  readonly summary?: string
  readonly idempotent?: boolean
  /** How long a call may take when the caller has not said. Default: `'3s'`. */
  readonly deadline?: Duration
  /** Which requests are refused first when there are too many: `bulk`, then `normal`, `critical` last. Default: `normal`. */
  readonly priority?: Priority
  /** OAuth 2.0 scopes that the caller needs. */
  readonly scopes?: readonly string[]
  /** Offered by the gateway to the outside. Default: false. */
  readonly public?: boolean
  /** It is on its way out: its answers say so in the headers Deprecation and Sunset, its OpenAPI document too, and who calls it is counted. */
  readonly deprecated?: Deprecation
}

/** The names in braces: `/a/{b}/c/{d}` → `'b' | 'd'`. */
export type PathParameters<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}` ? Name | PathParameters<Rest> : never

/** Turns a path parameter that the input does not have into a compile error that names it, also when there is no input at all. */
type WithParametersIn<Path extends string, I extends Schema> =
  Exclude<PathParameters<Path>, keyof InputOf<I>> extends infer Missing
    ? [Missing] extends [never]
      ? Path
      : Path & { readonly mistake: `the input has no field for the path parameter {${Missing & string}}` }
    : never

type Nothing = typeof nothing

/** The same type, but closed to inference from where the operation is put: a contract takes any, and what was left out must stay nothing. */
type Itself<T> = [T] extends [infer Same extends T] ? Same : never

interface Declare {
  <
    const Path extends string,
    I extends Schema = Nothing,
    O extends Schema | undefined = undefined,
    const E extends Problems = Record<never, never>,
  >(
    path: WithParametersIn<Path, I>,
    options?: OperationOptions<I, O, E>,
  ): Operation<Itself<I>, Itself<O>, Itself<E>>
}

const DEFAULT_DEADLINE_MS = 3_000

export const get: Declare = declare('GET', true)
export const post: Declare = declare('POST', false)
export const put: Declare = declare('PUT', true)
export const patch: Declare = declare('PATCH', false)
export const del: Declare = declare('DELETE', true)

function declare(method: Method, idempotent: boolean): Declare {
  return <I extends Schema, O extends Schema | undefined, E extends Problems>(path: string, options: OperationOptions<I, O, E> = {}) => {
    const operation: Operation<I, O, E> = {
      kind: 'operation',
      method,
      path,
      input: options.input ?? (nothing as unknown as I),
      output: options.output as O,
      errors: withoutPrototype(options.errors ?? ({} as E)),
      status: options.status ?? (options.output === undefined ? 204 : 200),
      summary: options.summary,
      idempotent: options.idempotent ?? idempotent,
      deadlineMs: options.deadline === undefined ? DEFAULT_DEADLINE_MS : milliseconds(options.deadline),
      priority: options.priority ?? 'normal',
      scopes: Object.freeze([...(options.scopes ?? [])]),
      public: options.public ?? false,
      deprecated: options.deprecated === undefined ? undefined : Object.freeze({ ...options.deprecated }),
    }
    return Object.freeze(operation) as unknown as Operation<Itself<I>, Itself<O>, Itself<E>>
  }
}

/** Codes are looked up by what a peer has sent: "constructor" must not be found. */
function withoutPrototype<E extends Problems>(errors: E): E {
  return Object.freeze(Object.assign(Object.create(null), errors) as E)
}
