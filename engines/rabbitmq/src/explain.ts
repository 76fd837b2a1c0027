/** What went wrong, in words for the person who can change it. Never holds a password: RabbitMQ and Node do not repeat it. */
import type { RabbitmqAddress } from './address.ts'

export function explain(error: unknown, { hostname, port, username, vhost }: RabbitmqAddress): string {
  const message = messageOf(error)
  const code = codeOf(error)
  if (/Login was refused/.test(message)) return `user "${username}" was refused: check the name and the password in its url`
  // The client does not say why it was turned away at this last step, but there is hardly another reason.
  if (message.startsWith('Expected ConnectionOpenOk'))
    return `virtual host "${vhost}" does not exist or user "${username}" has no access to it: check the end of its url, or create it with rabbitmqctl add_vhost`
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER')
    return `${hostname}:${port} does not speak TLS: its url must start with amqp: or name the port for TLS`
  if (code === 'ECONNREFUSED') return `nothing listens at ${hostname}:${port} (ECONNREFUSED)`
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `the name ${hostname} cannot be resolved (${code})`
  return message === '' ? (code ?? 'unknown error') : message
}

/** A connection attempt to several addresses of one name fails with an `AggregateError` whose own message is empty. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
