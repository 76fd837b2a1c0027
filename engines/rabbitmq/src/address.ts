/** Where a RabbitMQ is and who we are there, read from a url. The url itself is never shown: it holds a password. */
export interface RabbitmqAddress {
  readonly protocol: 'amqp' | 'amqps'
  readonly hostname: string
  readonly port: number
  readonly username: string
  readonly password: string
  readonly vhost: string
  /** What the names of exchange and queues start with, from `?prefix=`, so that systems can share a virtual host. */
  readonly prefix: string | undefined
}

const PREFIX = /^[\w.-]{1,100}$/

export function rabbitmqAddress(url: string): RabbitmqAddress {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || !/^amqps?:$/.test(parsed.protocol) || parsed.hostname === '')
    throw new TypeError(
      `rabbitmq({ url }): ${parsed === undefined ? 'this is not a url' : `a url that starts with ${parsed.protocol} does not name a RabbitMQ`}: ` +
        'expected amqp://user:password@host:5672/vhost, with special characters in name, password and vhost percent-encoded',
    )
  const prefix = parsed.searchParams.get('prefix') ?? undefined
  if (prefix !== undefined && !PREFIX.test(prefix))
    throw new TypeError(`rabbitmq({ url }): the prefix in the url may have up to 100 letters, digits, ".", "_" and "-"`)
  const secure = parsed.protocol === 'amqps:'
  return {
    protocol: secure ? 'amqps' : 'amqp',
    hostname: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: parsed.port === '' ? (secure ? 5671 : 5672) : Number(parsed.port),
    username: parsed.username === '' ? 'guest' : decode(parsed.username, 'name'),
    password: parsed.username === '' ? 'guest' : decode(parsed.password, 'password'),
    vhost: parsed.pathname === '' || parsed.pathname === '/' ? '/' : decode(parsed.pathname.slice(1), 'vhost'),
    prefix,
  }
}

function decode(encoded: string, part: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch {
    throw new TypeError(`rabbitmq({ url }): the ${part} in the url is not percent-encoded correctly: write % as %25`)
  }
}
