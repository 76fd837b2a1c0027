/** The port to the network between hosts: `wire/transport.ts`, or what a simulation puts in its place. */
import type { Link } from '../client/link.ts'
import type { HttpLinkOptions } from './http-link.ts'
import type { HttpServer, HttpServerOptions } from './server.ts'

export interface Transport {
  /** Begins to answer requests. Rejects with `portInUse` when another process has the port. */
  listen(options: HttpServerOptions): Promise<HttpServer>
  /** Connects when it is first used. */
  link(options: HttpLinkOptions): Link
}
