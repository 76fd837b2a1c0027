/**
 * Every failure that the platform itself reports, as data: the code that programs compare, the HTTP status, the title,
 * whether trying again may help, and what to do. The error class, the Problem Details (RFC 9457) and the reference page are derived from it.
 */
interface CatalogueEntry {
  /** What a request is answered with, a mistake in code that makes a call or a definition throw, or what keeps a host from serving. */
  readonly kind: 'answer' | 'mistake' | 'host'
  readonly status: number
  readonly title: string
  readonly retryable: boolean
  readonly help: string
}

export const ERRORS = {
  malformedJson: answer(422, 'Malformed JSON', false, 'Send one well-formed JSON value without duplicate keys and without "__proto__".'),
  invalidInput: answer(422, 'Invalid input', false, 'Correct the fields listed in "errors".'),
  unsupportedMediaType: answer(415, 'Unsupported media type', false, 'Send the body as application/json.'),
  bodyTooLarge: answer(413, 'Body too large', false, "Send less, or raise the host's body limit."),
  malformedRequest: answer(400, 'Malformed request', false, 'Send a request target in valid percent-encoding, without control characters.'),
  idempotencyKeyReused: answer(
    422,
    'Idempotency-Key reused',
    false,
    'Send the request as it was the first time, or give a new request a new key.',
  ),
  notFound: answer(404, 'Not found', false, 'Compare the path with the OpenAPI document.'),
  methodNotAllowed: answer(405, 'Method not allowed', false, 'Use one of the methods in the Allow header.'),
  internal: answer(500, 'Internal error', false, "Find the cause in the service's log by the trace id."),
  unavailable: answer(503, 'Service unavailable', true, 'Try again after the number of seconds in Retry-After.'),
  overloaded: answer(503, 'Overloaded', true, 'Try again after the number of seconds in Retry-After.'),
  deadlineExceeded: answer(504, 'Deadline exceeded', true, 'Allow more time, or find what was slow by the trace id.'),
  outcomeUnknown: answer(
    503,
    'Outcome unknown',
    true,
    'The change may or may not have been made: read it back, or repeat the request if it is idempotent.',
  ),

  streamConflict: answer(
    409,
    'Changed meanwhile',
    true,
    'Load the stream again and decide on what it says now; `decide` does both by itself, as often as needed.',
  ),
  projectionBehind: answer(
    503,
    'Projection behind',
    true,
    'Try again after the number of seconds in Retry-After, or answer without the latest change.',
  ),

  contractInvalid: mistake('Invalid contract', 'Correct the contract as the message says.'),
  contractBroken: mistake('Contract broken', 'Make the answer match the schema that the contract promises.'),
  callInTransaction: mistake(
    'Call inside a transaction',
    'Move the call before or after transaction(…): inside, it would hold locks while it waits for the network.',
  ),
  transactionInTransaction: mistake('Transaction inside a transaction', 'Use the db of the transaction that is already open.'),
  outsideTransaction: mistake('Outside a transaction', 'Use emit only while the closure given to transaction(…) runs.'),
  statementRefused: mistake('Statement refused', 'Leave transactions, roles and session settings to the platform.'),
  streamInvalid: mistake('Invalid stream', 'Correct the definition of the stream as the message says.'),
  storedEventRefused: mistake(
    'Event refused',
    'Append only what the stream declares: data that its schema allows and that JSON in PostgreSQL can hold.',
  ),
  storedEventUnreadable: mistake(
    'Stored event unreadable',
    'Run code that knows the type and schema of this event, or correct its upcaster. Nothing was skipped.',
  ),
  projectionInvalid: mistake('Invalid projection', 'Correct the projection, or how it is addressed, as the message says.'),
  regressionInvalid: mistake('Invalid regression', 'Keep the file as `skerry simulate` wrote it, or delete it.'),
  systemInvalid: mistake('Invalid system', "Correct the system's definition as the message says."),

  configurationInvalid: host(500, 'Invalid configuration', false, 'Correct each variable listed.'),
  portInUse: host(500, 'Port in use', false, 'Stop what listens there, or choose another port.'),
  migrationInvalid: host(500, 'Invalid migration', false, 'Correct the migration as the message says; nothing of it was applied.'),
  migrationFailed: host(500, 'Migration failed', false, 'Correct the migration as the message says; nothing of it was applied.'),
  migrationChanged: host(500, 'Migration changed', false, 'Restore the file as it was applied, and put the change in a new migration.'),
  sagaIncompatible: host(
    500,
    'Incompatible saga',
    false,
    'Keep the version of the saga that running instances need, and put the change in a new version.',
  ),
  databaseUnavailable: host(503, 'Database unavailable', true, 'Start the database, or correct its URL.'),
  stopping: host(503, 'Stopping', true, 'Try again: another instance, or this one after its restart, will answer.'),
} as const satisfies Record<string, CatalogueEntry>

export type ErrorCode = keyof typeof ERRORS

/** An error from the catalogue, with the sentence that says what happened this time. */
export class SkerryError extends Error {
  override readonly name = 'SkerryError'
  readonly code: ErrorCode
  /** Machine-readable particulars, safe to show to the caller. */
  readonly data: Readonly<Record<string, unknown>> | undefined

  constructor(code: ErrorCode, message: string, options: { data?: Record<string, unknown>; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.data = options.data
  }

  get status(): number {
    return ERRORS[this.code].status
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable
  }

  get help(): string {
    return ERRORS[this.code].help
  }
}

function answer(status: number, title: string, retryable: boolean, help: string): CatalogueEntry {
  return { kind: 'answer', status, title, retryable, help }
}

function mistake(title: string, help: string): CatalogueEntry {
  return { kind: 'mistake', status: 500, title, retryable: false, help }
}

function host(status: number, title: string, retryable: boolean, help: string): CatalogueEntry {
  return { kind: 'host', status, title, retryable, help }
}
