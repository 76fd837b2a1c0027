/** What went wrong while handling an event, sorted by what should follow: another attempt, another attempt that does not count, or none. */
import { SkerryError } from '../base/errors.ts'
import { CallError } from '../contract/call-error.ts'
import { DatabaseError } from '../engine/database.ts'
import type { FailureKind } from './inbox.ts'

export interface EventFailure {
  readonly kind: FailureKind
  /** Set when the message itself is at fault. */
  readonly cause: 'invalid' | 'undeclared' | 'overtaken' | undefined
  readonly message: string
  readonly stack: string | undefined
  /** The same for failures at the same place with the same kind of error. */
  readonly hash: string
  readonly error: unknown
}

/** The data does not match the event's schema. */
export class InvalidEvent extends Error {
  override readonly name = 'InvalidEvent'
}

/** No contract in use declares this type, or this version of it. */
export class UndeclaredEvent extends Error {
  override readonly name = 'UndeclaredEvent'
}

/** Later events of its key have been handled already. */
export class OvertakenEvent extends Error {
  override readonly name = 'OvertakenEvent'
}

/** Takes whatever was thrown. Never throws itself. */
export function describeFailure(error: unknown): EventFailure {
  const message = error instanceof Error ? textOf(error.message) : textOf(error)
  const stack = stackOf(error)
  return { kind: kindOf(error), cause: causeOf(error), message, stack, hash: hashOf(error, stack), error }
}

function causeOf(error: unknown): EventFailure['cause'] {
  if (error instanceof InvalidEvent) return 'invalid'
  if (error instanceof UndeclaredEvent) return 'undeclared'
  return error instanceof OvertakenEvent ? 'overtaken' : undefined
}

/** An object without a prototype has no text. */
function textOf(value: unknown): string {
  try {
    return String(value)
  } catch {
    return `a thrown ${typeof value} without a text`
  }
}

/** It is made when it is asked for, from a message that may be anything. */
function stackOf(error: unknown): string | undefined {
  try {
    return error instanceof Error && typeof error.stack === 'string' ? error.stack : undefined
  } catch {
    return undefined
  }
}

/** The server ended a transaction that took too long: the handler's doing, not the server's absence. */
const TIME_LIMITS = ['25P03', '25P04']

const MAX_CAUSES = 5

function kindOf(error: unknown, depth = 0): FailureKind {
  if (causeOf(error) !== undefined) return 'permanent'
  if (error instanceof CallError)
    return error.code === 'unavailable' || error.code === 'deadlineExceeded' || error.code === 'overloaded' ? 'infrastructure' : 'permanent'
  if (error instanceof DatabaseError && !TIME_LIMITS.includes(error.sqlState ?? ''))
    return error.kind === 'unavailable' || error.kind === 'outcome-unknown' ? 'infrastructure' : 'transient'
  if (error instanceof SkerryError) {
    if (error.code === 'contractBroken' || error.code === 'invalidInput') return 'permanent'
    return error.retryable ? 'infrastructure' : 'transient'
  }
  // A handler may say in its own words what went wrong; what it was stays the same.
  return error instanceof Error && error.cause !== undefined && depth < MAX_CAUSES ? kindOf(error.cause, depth + 1) : 'transient'
}

/** FNV-1a over the error's name and the first frame of its stack: the same place and kind, whatever the message says. All calls throw at one place. */
function hashOf(error: unknown, stack: string | undefined): string {
  const frame = stack?.split('\n').find((line) => line.trimStart().startsWith('at ')) ?? ''
  const called = error instanceof CallError ? `${error.service}.${error.operation} ${error.code}` : ''
  const text = `${error instanceof Error ? textOf(error.name) : typeof error}${called}${frame.trim()}`
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, '0')
}
