/**
 * The gateway's port, held for as long as `skerry dev` runs. Connections are passed on to the process that runs the services;
 * while it restarts they wait, and when it cannot start they are told why. Nobody is refused because somebody saved a file.
 */
import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { CommandError, EXIT } from '../failure.ts'

interface Serving {
  readonly kind: 'serving'
  readonly host: string
  readonly port: number
}

type State = { readonly kind: 'holding' } | Serving | { readonly kind: 'failed'; readonly detail: string }

const DEFAULT_MAX_HELD = 1_024
/** How long a client that has been refused may stay without closing. */
const REFUSED_IDLE_MS = 5_000

export class Front {
  #server: Server | undefined
  #state: State = { kind: 'holding' }
  readonly #maxHeld: number
  readonly #held = new Set<Socket>()
  readonly #open = new Set<Socket>()

  /** How many connections may wait at a time; more are answered with 503. */
  constructor(maxHeld = DEFAULT_MAX_HELD) {
    this.#maxHeld = maxHeld
  }

  /** `http://127.0.0.1:8080`, once it listens. */
  get url(): string | undefined {
    if (this.#server === undefined) return undefined
    const { address, family, port } = this.#server.address() as AddressInfo
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
  }

  /** Takes the port, once: later calls change nothing. Rejects when another process has it. */
  async listen(host: string, port: number): Promise<void> {
    if (this.#server !== undefined) return
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => this.#accept(socket))
    server.listen(port, host)
    try {
      await once(server, 'listening')
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      const what = code === 'EADDRINUSE' ? `Port ${port} on ${host} is in use.` : `Cannot listen on port ${port} of ${host}: ${message}.`
      throw new CommandError(EXIT.failed, what, 'Stop what listens there, or choose another port, such as PORT=8081.')
    }
    this.#server = server
  }

  /** Connections wait from now on. */
  hold(): void {
    this.#state = { kind: 'holding' }
  }

  /** Passes connections on to `url`, those that waited first. */
  serve(url: string): void {
    const { hostname, port } = new URL(url)
    this.#state = { kind: 'serving', host: dialable(hostname), port: Number(port) }
    this.#release()
  }

  /** Answers every request with 503 and the reason. */
  fail(detail: string): void {
    this.#state = { kind: 'failed', detail }
    this.#release()
  }

  /** Gives up the port; connections there are stay. */
  leave(): void {
    this.#server?.close()
  }

  /** Gives up the port and every connection. */
  close(): void {
    this.leave()
    for (const socket of this.#open) socket.destroy()
  }

  #accept(socket: Socket): void {
    this.#open.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => {
      this.#open.delete(socket)
      this.#held.delete(socket)
    })
    this.#handle(socket)
  }

  #handle(socket: Socket): void {
    const state = this.#state
    if (state.kind === 'serving') this.#passOn(socket, state)
    else if (state.kind === 'failed') refuse(socket, state.detail)
    else this.#keep(socket)
  }

  #keep(socket: Socket): void {
    if (this.#held.size < this.#maxHeld) this.#held.add(socket)
    else refuse(socket, `The services restart, and ${this.#maxHeld} connections are already waiting for them`)
  }

  #release(): void {
    const held = [...this.#held]
    this.#held.clear()
    for (const socket of held) this.#handle(socket)
  }

  #passOn(socket: Socket, state: Serving): void {
    const inner = connect({ host: state.host, port: state.port, allowHalfOpen: true, noDelay: true })
    let connected = false
    inner.once('connect', () => {
      connected = true
      socket.pipe(inner)
      inner.pipe(socket)
    })
    inner.on('error', () => {
      if (connected) socket.destroy()
      // They have just ended, and it will be heard in a moment whether that was meant. Nothing of the request has been read.
      else if (this.#state === state) this.#keep(socket)
      else this.#handle(socket)
    })
    inner.once('close', () => {
      if (connected && !socket.writableEnded) socket.end()
    })
    socket.once('close', () => inner.destroy())
  }
}

/** An answer without having read the request: the same for all, so it need not be understood. */
function refuse(socket: Socket, detail: string): void {
  const body = JSON.stringify({
    type: 'urn:problem:skerry:unavailable',
    title: 'Service unavailable',
    status: 503,
    detail,
    code: 'unavailable',
  })
  const head = `HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nRetry-After: 1\r\nConnection: close`
  socket.setTimeout(REFUSED_IDLE_MS, () => socket.destroy())
  // Clients take an answer that comes before their request for a broken connection.
  socket.once('data', () => socket.end(`${head}\r\n\r\n${body}`))
  socket.resume()
}

/** The address for "every interface" is one to listen on, not to call. */
function dialable(hostname: string): string {
  if (hostname === '0.0.0.0') return '127.0.0.1'
  if (hostname === '[::]') return '::1'
  return hostname.replace(/^\[(.*)\]$/, '$1')
}
