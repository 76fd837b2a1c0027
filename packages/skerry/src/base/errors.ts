/**
 * Every failure that the platform itself reports, as data: the code that programs compare, the HTTP status, the title,
 * whether trying again may help, and what to do. The error class, the Problem Details (RFC 9457) and the reference page are derived from it.
 */
interface CatalogueEntry {
  readonly status: number
  readonly title: string
  readonly retryable: boolean
  readonly help: string
}

export const ERRORS = {
  // Answers to a request
  malformedJson: entry(422, 'Malformed JSON', false, 'Send one well-formed JSON value without duplicate keys and without "__proto__".'),
  invalidInput: entry(422, 'Invalid input', false, 'Correct the fields listed in "errors".'),
  unsupportedMediaType: entry(415, 'Unsupported media type', false, 'Send the body as application/json.'),
  bodyTooLarge: entry(413, 'Body too large', false, 'Send less, or raise the host\'s body limit.'),
  malformedRequest: entry(400, 'Malformed request', false, 'Send a request target in valid percent-encoding, without control characters.'),
  notFound: entry(404, 'Not found', false, 'Compare the path with the OpenAPI document.'),
  methodNotAllowed: entry(405, 'Method not allowed', false, 'Use one of the methods in the Allow header.'),
  internal: entry(500, 'Internal error', false, 'Find the cause in the service\'s log by the trace id.'),
  unavailable: entry(503, 'Service unavailable', true, 'Try again after the number of seconds in Retry-After.'),
  overloaded: entry(503, 'Overloaded', true, 'Try again after the number of seconds in Retry-After.'),
  deadlineExceeded: entry(504, 'Deadline exceeded', true, 'Allow more time, or find what was slow by the trace id.'),
  outcomeUnknown: entry(503, 'Outcome unknown', true, 'The change may or may not have been made: read it back, or repeat the request if it is idempotent.'),
  // Mistakes in code
  contractInvalid: entry(500, 'Invalid contract', false, 'Correct the contract as the message says.'),
  contractBroken: entry(500, 'Contract broken', false, 'Make the answer match the schema that the contract promises.'),
  callInTransaction: entry(500, 'Call inside a transaction', false, 'Move the call before or after transaction(…): inside, it would hold locks while it waits for the network.'),
  transactionInTransaction: entry(500, 'Transaction inside a transaction', false, 'Use the db of the transaction that is already open.'),
  outsideTransaction: entry(500, 'Outside a transaction', false, 'Use emit only while the closure given to transaction(…) runs.'),
  statementRefused: entry(500, 'Statement refused', false, 'Leave transactions, roles and session settings to the platform.'),
  systemInvalid: entry(500, 'Invalid system', false, 'Correct the system\'s definition as the message says.'),
  // Failures at start
  configurationInvalid: entry(500, 'Invalid configuration', false, 'Correct each variable listed.'),
  portInUse: entry(500, 'Port in use', false, 'Stop what listens there, or choose another port.'),
  migrationInvalid: entry(500, 'Invalid migration', false, 'Correct the migration as the message says; nothing of it was applied.'),
  migrationFailed: entry(500, 'Migration failed', false, 'Correct the migration as the message says; nothing of it was applied.'),
  migrationChanged: entry(500, 'Migration changed', false, 'Restore the file as it was applied, and put the change in a new migration.'),
  databaseUnavailable: entry(503, 'Database unavailable', true, 'Start the database, or correct its URL.'),
  stopping: entry(503, 'Stopping', true, 'Try again: another instance, or this one after its restart, will answer.'),
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

function entry(status: number, title: string, retryable: boolean, help: string): CatalogueEntry {
  return { status, title, retryable, help }
}
