/** What a failure of the driver means to the platform: which kind it is, and whether the connection survived it. */
import { DatabaseError as ServerError } from 'pg'
import { DatabaseError, kindOfSqlState } from 'skerry/engine'
import type { ServerUrl } from './server-url.ts'

/**
 * True when the server ended the connection, or there was no answer of the server at all. The server may translate the
 * severity, so the states that always end a connection are known by themselves: shutdown and crash, a failed connection
 * (but 08P01 is mostly a wrong number of parameters), the time limits of a transaction.
 */
export function endsConnection(error: unknown): boolean {
  if (!(error instanceof ServerError)) return true
  return error.severity === 'FATAL' || error.severity === 'PANIC' || /^(?:57P|08(?!P01)|25P0[34])/.test(error.code ?? '')
}

/** A statement's failure, or the loss of the connection. */
export function statementFailure(error: unknown, description: string): DatabaseError {
  if (!(error instanceof ServerError))
    return new DatabaseError('unavailable', `The connection to ${description} was lost: ${messageOf(error)}`, { cause: error })
  const sqlState = error.code ?? 'XX000'
  const position = error.position === undefined ? undefined : Number(error.position)
  const kind = stalePlan(error) ? 'serialization' : endsConnection(error) ? 'unavailable' : kindOfSqlState(sqlState)
  const message =
    sqlState === '25P03'
      ? `${description} ended a transaction that did nothing for too long: keep other work out of transactions`
      : error.message
  return new DatabaseError(kind, message, { sqlState, constraint: error.constraint, position, cause: error })
}

/** A prepared statement whose columns a migration changed meanwhile: run again under a new name, it succeeds. */
export function stalePlan(error: unknown): boolean {
  return error instanceof ServerError && error.code === '0A000' && error.routine === 'RevalidateCachedQuery'
}

/** No connection could be had. */
export function connectFailure(error: unknown, server: ServerUrl, poolSize: number, connectTimeoutMs: number): DatabaseError {
  const where = `PostgreSQL at ${server.host}:${server.port}`
  const sqlState = error instanceof ServerError ? error.code : undefined
  const code = codeOf(error)
  const message = ((): string => {
    if (sqlState === '28P01' || sqlState === '28000')
      return `${where}/${server.database} refused user "${server.user}" (${messageOf(error)}): check user, password and pg_hba.conf`
    if (sqlState === '3D000') return `${where} has no database "${server.database}": create it, or correct the URL`
    if (sqlState === '53300')
      return `${where}/${server.database} has no connection left (${messageOf(error)}): lower poolSize (now ${poolSize} per service) or raise max_connections`
    if (sqlState === '57P03') return `${where} is starting up or shutting down`
    if (code === 'ECONNREFUSED') return `${where} cannot be reached: nothing listens there`
    if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `${where} cannot be reached: the host name is not known`
    if (error instanceof Error && error.message === 'timeout exceeded when trying to connect')
      return `All ${poolSize} connections to ${where}/${server.database} were busy for ${connectTimeoutMs} ms: raise poolSize, or hold transactions for shorter`
    if (
      error instanceof Error &&
      (error.message === 'timeout expired' || error.message === 'Connection terminated due to connection timeout')
    )
      return `${where} did not answer within ${connectTimeoutMs} ms`
    return `${where}/${server.database} cannot be used: ${messageOf(error)}`
  })()
  return new DatabaseError('unavailable', message, { sqlState, cause: error })
}

/** The system's error code; when a host name has several addresses, Node gathers the failures of all of them. */
function codeOf(error: unknown): unknown {
  if (error instanceof AggregateError) return codeOf(error.errors[0])
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(', ')
  return error instanceof Error ? error.message : String(error)
}
