/** The network between hosts: HTTP, and the fast wire where both sides speak it. */
import { httpLink } from '../http/http-link.ts'
import { startHttpServer } from '../http/server.ts'
import type { Transport } from '../http/transport.ts'
import { wireLink } from './wire-link.ts'
import { wireUpgrade } from './wire-server.ts'

export interface NetworkOptions {
  /** `off`: plain HTTP. `offered`: the fast wire wherever both sides speak it. `only`: nothing else, which shows in tests what depends on the way. */
  readonly fastWire: 'off' | 'offered' | 'only'
}

export function networkTransport({ fastWire }: NetworkOptions): Transport {
  if (fastWire === 'off') return { listen: startHttpServer, link: httpLink }
  return {
    listen: (options) => startHttpServer(options, options.forPeers === true ? wireUpgrade : undefined),
    link: (options) => wireLink({ ...options, insists: fastWire === 'only' }),
  }
}
