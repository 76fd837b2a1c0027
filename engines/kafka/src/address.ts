/** Where a Kafka is and who we are there, read from a url. The url itself is never shown: it holds a password. */
export interface KafkaAddress {
  /** `kafkas:` is TLS. */
  readonly secure: boolean
  readonly hostname: string
  readonly port: number
  readonly username: string | undefined
  readonly password: string | undefined
  /** How name and password are shown to the server, from `?sasl=`. */
  readonly mechanism: SaslMechanism
  /** What the names of topics and groups start with, from `?prefix=`, so that systems can share a cluster. */
  readonly prefix: string | undefined
  /** Into how many partitions a topic that does not exist yet is divided, from `?partitions=`. */
  readonly partitions: number | undefined
  /** On how many servers a topic that does not exist yet is kept, from `?replicas=`. */
  readonly replicas: number | undefined
}

export type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'

const PREFIX = /^[\w-]{1,100}$/
const PARTITIONS = /^[1-9]\d{0,3}$/
const REPLICAS = /^[1-9]$/
const MECHANISMS: ReadonlyMap<string, SaslMechanism> = new Map([
  ['plain', 'PLAIN'],
  ['scram-sha-256', 'SCRAM-SHA-256'],
  ['scram-sha-512', 'SCRAM-SHA-512'],
])

export function kafkaAddress(url: string): KafkaAddress {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || !/^kafkas?:$/.test(parsed.protocol) || parsed.hostname === '')
    throw new TypeError(
      `kafka({ url }): ${parsed === undefined ? 'this is not a url' : `a url that starts with ${parsed.protocol} does not name a Kafka`}: ` +
        'expected kafka://user:password@host:9092 or kafkas://… for TLS, with special characters in name and password percent-encoded',
    )
  const option = (name: string, pattern: RegExp, expected: string): string | undefined => {
    const value = parsed.searchParams.get(name) ?? undefined
    if (value !== undefined && !pattern.test(value)) throw new TypeError(`kafka({ url }): ${name} in the url is ${expected}`)
    return value
  }
  const prefix = option('prefix', PREFIX, 'up to 100 letters, digits, "_" and "-"')
  const partitions = option('partitions', PARTITIONS, 'a number from 1 to 9,999')
  const replicas = option('replicas', REPLICAS, 'a number of servers from 1 to 9')
  const mechanism = MECHANISMS.get(parsed.searchParams.get('sasl') ?? 'scram-sha-256')
  if (mechanism === undefined) throw new TypeError(`kafka({ url }): sasl in the url is one of ${[...MECHANISMS.keys()].join(', ')}`)
  const [username, password] = [decode(parsed.username, 'name'), decode(parsed.password, 'password')]
  if ((username === undefined) !== (password === undefined))
    throw new TypeError('kafka({ url }): the url has only one of name and password; Kafka wants both or none')
  return {
    secure: parsed.protocol === 'kafkas:',
    hostname: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: parsed.port === '' ? 9092 : Number(parsed.port),
    username,
    password,
    mechanism,
    prefix,
    partitions: partitions === undefined ? undefined : Number(partitions),
    replicas: replicas === undefined ? undefined : Number(replicas),
  }
}

function decode(encoded: string, part: string): string | undefined {
  try {
    return encoded === '' ? undefined : decodeURIComponent(encoded)
  } catch {
    throw new TypeError(`kafka({ url }): the ${part} in the url is not percent-encoded correctly: write % as %25`)
  }
}
