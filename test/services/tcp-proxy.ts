/**
 * A network that can fail, between a client and a server: connections pass through it unchanged until a test cuts them,
 * slows them down, swallows what they carry, or steps in at a certain byte.
 */
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'

export interface ProxyTarget {
  readonly host: string
  readonly port: number
}

/**
 * What becomes of bytes from the client. `forward`: they reach the server. `cut before`: they do not, and both sides lose
 * the connection. `cut within`: half of them reach the server, then the same. `cut after`: they reach the server, and as soon as it
 * answers both sides lose the connection; the client never sees the answer.
 */
export type Verdict = 'forward' | 'cut before' | 'cut within' | 'cut after'

export class TcpProxy {
  /** Looks at what each client sends, piece by piece, as it arrives. Pieces of one connection come with the same object. */
  onClientBytes: (bytes: Buffer, connection?: object) => Verdict = () => 'forward'
  /** The same for what each server sends. */
  onServerBytes: (bytes: Buffer) => 'forward' | 'cut within' = () => 'forward'
  /** How long each piece is held back, in both directions. Pieces stay in order. */
  delayMs = 0
  /** While true, nothing gets through in either direction, and nobody is told. What was swallowed is gone. */
  blackHole = false
  /** While true, new connections are reset. */
  refusing = false
  /** What the black hole has taken so far. */
  swallowedBytes = 0
  readonly #target: ProxyTarget
  readonly #server: Server
  readonly #links = new Set<Link>()
  #accepted = 0
  /** Where it listens, also while it does not. */
  #port = 0

  private constructor(target: ProxyTarget) {
    this.#target = target
    this.#server = createServer((client) => this.#accept(client))
  }

  /** Listens on a free port of 127.0.0.1. */
  static async start(target: ProxyTarget): Promise<TcpProxy> {
    const proxy = new TcpProxy(target)
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject)
      proxy.#server.listen(0, '127.0.0.1', resolve)
    })
    proxy.#port = (proxy.#server.address() as AddressInfo).port
    return proxy
  }

  get port(): number {
    return this.#port
  }

  /** Connections open at this moment. */
  get open(): number {
    return this.#links.size
  }

  /** Connections taken since the start. */
  get accepted(): number {
    return this.#accepted
  }

  /** The same URL, leading through this proxy. */
  through(url: string): string {
    const proxied = new URL(url)
    proxied.hostname = '127.0.0.1'
    proxied.port = String(this.port)
    return proxied.href
  }

  /** Resets every open connection, on both sides. */
  cut(): void {
    for (const link of this.#links) link.cut()
  }

  /** As when the process behind it has gone: connections are reset, and new ones refused. */
  async vanish(): Promise<void> {
    await this.close()
  }

  /** There again, at the same port. */
  async appear(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#port, '127.0.0.1', resolve)
    })
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.cut()
    await closed
  }

  #accept(client: Socket): void {
    this.#accepted++
    if (this.refusing) {
      client.resetAndDestroy()
      return
    }
    const link = new Link(this, client, connect(this.#target), () => this.#links.delete(link))
    this.#links.add(link)
  }
}

/** One client's connection and the one to the server that belongs to it. */
class Link {
  readonly #proxy: TcpProxy
  readonly #client: Socket
  readonly #server: Socket
  #cutAtAnswer = false

  constructor(proxy: TcpProxy, client: Socket, server: Socket, onClosed: () => void) {
    this.#proxy = proxy
    this.#client = client
    this.#server = server
    client.setNoDelay(true)
    server.setNoDelay(true)
    client.on('data', (bytes) => this.#fromClient(bytes))
    server.on('data', (bytes) => this.#fromServer(bytes))
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      // A reset ends the other side the same way; what the test is about shows there.
      socket.on('error', () => other.resetAndDestroy())
      socket.on('end', () => this.#later(() => other.end()))
      socket.on('close', onClosed)
    }
  }

  cut(): void {
    this.#client.resetAndDestroy()
    this.#server.resetAndDestroy()
  }

  #fromClient(bytes: Buffer): void {
    if (this.#swallows(bytes)) return
    const verdict = this.#proxy.onClientBytes(bytes, this)
    if (verdict === 'cut before') return this.cut()
    if (verdict === 'cut within') return this.#cutWithin(bytes, this.#server)
    if (verdict === 'cut after') this.#cutAtAnswer = true
    this.#later(() => this.#server.write(bytes))
  }

  #fromServer(bytes: Buffer): void {
    if (this.#swallows(bytes)) return
    if (this.#cutAtAnswer) return this.cut()
    if (this.#proxy.onServerBytes(bytes) === 'cut within') return this.#cutWithin(bytes, this.#client)
    this.#later(() => this.#client.write(bytes))
  }

  /** An orderly end for the receiver, so that the half does arrive; a reset might overtake it. */
  #cutWithin(bytes: Buffer, receiver: Socket): void {
    const sender = receiver === this.#server ? this.#client : this.#server
    receiver.end(bytes.subarray(0, bytes.length >> 1), () => receiver.destroy())
    sender.removeAllListeners('error')
    sender.on('error', () => undefined)
    sender.resetAndDestroy()
  }

  #swallows(bytes: Buffer): boolean {
    if (this.#proxy.blackHole) this.#proxy.swallowedBytes += bytes.length
    return this.#proxy.blackHole
  }

  #later(action: () => void): void {
    if (this.#proxy.delayMs === 0) action()
    else setTimeout(action, this.#proxy.delayMs)
  }
}
