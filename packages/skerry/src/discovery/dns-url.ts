/** Where a service is by DNS, as it is written in configuration: `dns://users.internal:8080` or `dns+srv://_http._tcp.users.internal`. */

export interface DnsName {
  readonly kind: 'address' | 'srv'
  readonly host: string
  /** Of all addresses; SRV records have their own. */
  readonly port: number
  /** The server that is asked, `10.0.0.2` or `10.0.0.2:5353`. Default: the machine's. */
  readonly resolver: string | undefined
}

/** Undefined when it is not of these forms. */
export function dnsNameOf(text: string): DnsName | undefined {
  const form = /^dns(?<srv>\+srv)?:\/\/(?<host>[\w.-]+)(?::(?<port>\d{1,5}))?\/?(?:\?resolver=(?<resolver>[\w.:[\]]+))?$/.exec(text)
  const { srv, host, port, resolver } = form?.groups ?? {}
  if (host === undefined || Number(port ?? 0) > 65_535) return undefined
  if (srv === undefined ? port === undefined : port !== undefined) return undefined
  return { kind: srv === undefined ? 'address' : 'srv', host, port: Number(port ?? 0), resolver }
}
