/** What went wrong, in words for the person who can change it. Never holds a password: NATS and Node do not repeat it. */
import type { NatsAddress } from './address.ts'

export function explain(error: unknown, { hostname, port, username }: Pick<NatsAddress, 'hostname' | 'port' | 'username'>): string {
  const message = messageOf(error)
  const code = codeOf(error) ?? (error instanceof Error ? codeOf(error.cause) : undefined)
  if (/Authorization Violation|Authentication/i.test(message))
    return username === undefined
      ? 'it wants to know who we are: put a name and a password, or a token, into its url'
      : `user "${username}" was refused: check the name and the password in its url`
  if (/jetstream (is )?not enabled/i.test(message))
    return 'JetStream is not enabled there: start nats-server with --jetstream or give it a jetstream block'
  if (message.includes("does not support 'tls'"))
    return `${hostname}:${port} does not offer TLS: its url must start with nats: or name a server that does`
  if (message.includes('unexpected response from server')) return `whatever listens at ${hostname}:${port} is not a NATS`
  if (code === 'ECONNREFUSED') return `nothing listens at ${hostname}:${port} (ECONNREFUSED)`
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `the name ${hostname} cannot be resolved (${code})`
  return message === '' ? (code ?? 'unknown error') : message
}

/** A connection attempt to several addresses of one name fails with an `AggregateError` whose own message is empty. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
