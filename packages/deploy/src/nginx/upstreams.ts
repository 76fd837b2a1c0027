/**
 * Where nginx finds the instances of a service. Addresses become an upstream group: idle connections are kept, an instance
 * that fails is left alone for a while. A DNS name is asked again while nginx runs, because containers come back with other addresses;
 * all addresses that it resolves to are used in turn. Open-source nginx before 1.27.3 cannot do both at once.
 */
import { SkerryError } from 'skerry/runtime'

export interface Upstream {
  readonly service: string
  /** What stands between `http://` and the path in `proxy_pass`. */
  readonly authority: string
  /** The upstream block; undefined for a name that is resolved while nginx runs. */
  readonly block: string | undefined
}

// The services' listeners close idle connections after 75 s; nginx must do so before them, or it sends requests into closing ones.
const KEEP_ALIVE = '60s'
const KEPT_CONNECTIONS = 64
const FAILURES = 3
const FAILED_FOR = '10s'

const ADDRESS = /^(?:(?<name>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)|\[[0-9A-Fa-f:.]{2,45}\]):(?<port>\d{1,5})$/
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.|$)){4}$/

/** The upstream of one service. Throws `configurationInvalid` for what nginx cannot be told. */
export function upstream(service: string, addresses: readonly string[]): Upstream {
  const fail = (reason: string): never => {
    throw new SkerryError('configurationInvalid', `upstreams: ${service}: ${reason}`)
  }
  if (addresses.length === 0) fail('no address is given: name at least one, such as 10.0.0.7:8080')
  const names = addresses.filter((address) => isName(address, fail))
  if (new Set(addresses).size < addresses.length) fail('an address is given twice')
  if (names.length === 0) return { service, authority: `skerry.${service}`, block: group(service, addresses) }
  if (names.some((name) => /^localhost\.?:/i.test(name))) fail('"localhost" is not a name that DNS answers for: write 127.0.0.1')
  if (addresses.length > 1)
    fail(
      `${names.join(', ')} must stand alone: nginx balances over addresses, or over all addresses of one DNS name, but not over several names`,
    )
  return { service, authority: names[0]!, block: undefined }
}

function isName(address: string, fail: (reason: string) => never): boolean {
  const parts = ADDRESS.exec(address)?.groups
  const port = Number(parts?.['port'])
  if (parts === undefined || port < 1 || port > 65_535)
    return fail(`${JSON.stringify(address)} is not host:port, such as 10.0.0.7:8080, [fd00::7]:8080 or orders.internal:8080`)
  const { name } = parts
  if (name === undefined || IPV4.test(name)) return false
  // Not a name that DNS can have, though the system's resolver might read an address into it.
  if (/^[\d.]+$/.test(name) || /\.\.|-\.|\.-/.test(name)) return fail(`${JSON.stringify(address)} has neither an IP address nor a DNS name`)
  return true
}

function group(service: string, addresses: readonly string[]): string {
  return `upstream skerry.${service} {
    zone skerry.${service} 128k;
    least_conn;
${addresses.map((address) => `    server ${address} max_fails=${FAILURES} fail_timeout=${FAILED_FOR};`).join('\n')}
    keepalive ${KEPT_CONNECTIONS};
    keepalive_timeout ${KEEP_ALIVE};
}`
}
