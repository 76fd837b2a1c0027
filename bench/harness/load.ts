/** Load over HTTP by autocannon, from this process: the server has a core of its own. */
import type { Request } from 'autocannon'
import autocannon from 'autocannon'

export interface LoadOptions {
  readonly url: string
  readonly connections: number
  readonly seconds: number
  /** The body of the request with this number. Default: always the same. */
  readonly body: (number: number) => string
}

export interface Load {
  readonly requestsPerSecond: number
  readonly ok: number
  readonly failed: number
}

export async function load({ url, connections, seconds, body }: LoadOptions): Promise<Load> {
  let number = 0
  const request: Request = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    setupRequest: (given) => ({ ...given, body: body(number++) }),
  }
  const result = await autocannon({ url, connections, duration: seconds, requests: [request] })
  return { requestsPerSecond: result['2xx'] / result.duration, ok: result['2xx'], failed: result.non2xx + result.errors }
}
