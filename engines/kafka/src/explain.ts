/** What went wrong, in words for the person who can change it. Never holds a password: Kafka, the client and Node do not repeat it. */
import { AuthenticationError, NetworkError, ProtocolError, TimeoutError } from '@platformatic/kafka'
import type { KafkaAddress } from './address.ts'

export function explain(error: unknown, { hostname, port, username, mechanism }: KafkaAddress): string {
  const all = everyError(error)
  const code = (wanted: RegExp): string | undefined => all.map(codeOf).find((each) => each !== undefined && wanted.test(each))
  const refused = all.find((each) => each instanceof AuthenticationError)
  if (refused !== undefined)
    return username === undefined
      ? `it wants to know who we are: put a name and a password into its url (${refused.message})`
      : `user "${username}" was refused: check the name, the password and ?sasl= in its url, which is ${mechanism.toLowerCase()} now (${refused.message})`
  if (code(/^ERR_SSL_WRONG_VERSION_NUMBER$/) !== undefined)
    return `${hostname}:${port} does not speak TLS: its url must start with kafka: or name the port for TLS`
  if (code(/^ECONNREFUSED$/) !== undefined) return `nothing listens at ${hostname}:${port} (ECONNREFUSED)`
  const unresolved = code(/^(ENOTFOUND|EAI_AGAIN)$/)
  if (unresolved !== undefined) return `the name ${hostname} cannot be resolved (${unresolved})`
  return messageOf(error)
}

/** The innermost reason: what lies around it counts attempts. */
export function messageOf(error: unknown): string {
  const reason = everyError(error).findLast(({ message }) => message !== '')
  return reason?.message ?? String(error)
}

/** Whether Kafka could not be reached, or reached and not in time: it may have taken what was sent. */
export function isLoss(error: unknown): boolean {
  return everyError(error).some((each) => each instanceof NetworkError || each instanceof TimeoutError)
}

/** Whether Kafka's answer was the one of this name, such as `MESSAGE_TOO_LARGE`. */
export function isProtocolError(error: unknown, ...names: readonly string[]): boolean {
  return everyError(error).some((each) => each instanceof ProtocolError && names.includes(String(each['apiId'])))
}

/** The error and all that it is made of and caused by, outermost first. */
function everyError(error: unknown): Error[] {
  if (!(error instanceof Error)) return []
  const parts: unknown[] = error instanceof AggregateError ? error.errors : []
  return [error, ...parts.flatMap(everyError), ...everyError(error.cause)]
}

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
