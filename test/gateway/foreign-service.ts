/** A service that is not ours: plain HTTP, answers with what it has received, misbehaves as told, and remembers every request. */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Received {
  readonly method: string
  /** Path and query as sent. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export type Behaviour = (request: Received, response: ServerResponse, incoming: IncomingMessage) => void

export class ForeignService implements AsyncDisposable {
  /** Every request that has arrived whole. */
  readonly received: Received[] = []
  behave: Behaviour = echo
  readonly #server = createServer({ keepAliveTimeout: 75_000 }, (incoming, response) => this.#serve(incoming, response))
  /** Connections taken since the start. */
  connections = 0

  static async start(host = '127.0.0.1', port = 0): Promise<ForeignService> {
    const service = new ForeignService()
    service.#server.listen(port, host)
    await once(service.#server, 'listening')
    service.#server.on('connection', () => service.connections++)
    return service
  }

  /** `127.0.0.1:40123` */
  get address(): string {
    const { address, port } = this.#server.address() as AddressInfo
    return `${address}:${port}`
  }

  get last(): Received {
    const last = this.received.at(-1)
    if (last === undefined) throw new Error('Nothing has been received')
    return last
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  #serve(incoming: IncomingMessage, response: ServerResponse): void {
    // Asked whether it speaks the fast wire: it does not, and that is no request of a client.
    if (incoming.headers.upgrade !== undefined) {
      response.writeHead(404).end()
      return
    }
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const received = {
        method: incoming.method ?? '',
        target: incoming.url ?? '',
        headers: Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)])),
        body: Buffer.concat(chunks).toString('utf8'),
      }
      this.received.push(received)
      this.behave(received, response, incoming)
    })
  }
}

export const echo: Behaviour = (request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(request))
}

/** Accepts the request and never answers. */
export const silent: Behaviour = () => {}

/** Breaks the connection once it has the request. */
export const hangUp: Behaviour = (_request, _response, incoming) => {
  incoming.socket.destroy()
}

export const talkNonsense: Behaviour = (_request, _response, incoming) => {
  incoming.socket.end('this is not HTTP\r\n\r\n')
}

export function respond(status: number, headers: Readonly<Record<string, string>>, body: string): Behaviour {
  return (_request, response) => {
    response.writeHead(status, { ...headers }).end(body)
  }
}
