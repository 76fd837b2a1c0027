/** Where a NATS is and who we are there, read from a url. The url itself is never shown: it holds a password. */
export interface NatsAddress {
  /** `tls:` insists on TLS; `nats:` uses it when the server offers it. */
  readonly secure: boolean
  readonly hostname: string
  readonly port: number
  readonly username: string | undefined
  readonly password: string | undefined
  /** A url with a name and no password means a token, as everywhere with NATS. */
  readonly token: string | undefined
  /** The stream's name and the first part of all its subjects, from `?prefix=`, so that systems can share an account. */
  readonly prefix: string | undefined
  /** On how many servers a stream that does not exist yet is kept, from `?replicas=`. */
  readonly replicas: number | undefined
}

const PREFIX = /^[\w-]{1,100}$/
const REPLICAS = /^[1-5]$/

export function natsAddress(url: string): NatsAddress {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || !/^(nats|tls):$/.test(parsed.protocol) || parsed.hostname === '')
    throw new TypeError(
      `nats({ url }): ${parsed === undefined ? 'this is not a url' : `a url that starts with ${parsed.protocol} does not name a NATS`}: ` +
        'expected nats://user:password@host:4222 or tls://…, with special characters in name and password percent-encoded',
    )
  const prefix = parsed.searchParams.get('prefix') ?? undefined
  if (prefix !== undefined && !PREFIX.test(prefix))
    throw new TypeError('nats({ url }): the prefix in the url may have up to 100 letters, digits, "_" and "-"')
  const replicas = parsed.searchParams.get('replicas') ?? undefined
  if (replicas !== undefined && !REPLICAS.test(replicas))
    throw new TypeError('nats({ url }): replicas in the url is a number of servers from 1 to 5')
  const [name, password] = [decode(parsed.username, 'name'), decode(parsed.password, 'password')]
  return {
    secure: parsed.protocol === 'tls:',
    hostname: parsed.hostname,
    port: parsed.port === '' ? 4222 : Number(parsed.port),
    username: password === undefined ? undefined : name,
    password,
    token: password === undefined ? name : undefined,
    prefix,
    replicas: replicas === undefined ? undefined : Number(replicas),
  }
}

function decode(encoded: string, part: string): string | undefined {
  try {
    return encoded === '' ? undefined : decodeURIComponent(encoded)
  } catch {
    throw new TypeError(`nats({ url }): the ${part} in the url is not percent-encoded correctly: write % as %25`)
  }
}
