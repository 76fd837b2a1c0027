/**
 * The gateway's port, held for as long as a supervisor runs. It accepts connections and hands each to a process that runs the gateway; while there
 * is none they wait. Nobody is refused because an instance of the gateway is replaced or has died.
 */
import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer } from 'node:net'
import { CommandError, EXIT } from '../failure.ts'
import type { Launched } from './supervisor.ts'

/** How many connections may wait; more are closed. */
const MAX_WAITING = 1_024

export class Entrance {
  readonly #server: Server
  readonly #gateways: () => readonly Launched[]
  readonly #waiting = new Set<Socket>()
  #next = 0

  /** `gateways`: those that can serve now. */
  constructor(gateways: () => readonly Launched[]) {
    this.#gateways = gateways
    this.#server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => this.#accept(socket))
  }

  /** Rejects when another process has the port. */
  async listen(host: string, port: number): Promise<string> {
    this.#server.listen(port, host)
    try {
      await once(this.#server, 'listening')
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      const what = code === 'EADDRINUSE' ? `Port ${port} on ${host} is in use.` : `Cannot listen on port ${port} of ${host}: ${message}.`
      throw new CommandError(EXIT.failed, what, 'Stop what listens there, or choose another port, such as PORT=8081.')
    }
    const address = this.#server.address() as AddressInfo
    return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`
  }

  /** Call when a gateway has become able to serve. */
  open(): void {
    for (const socket of this.#waiting) {
      this.#waiting.delete(socket)
      this.#accept(socket)
    }
  }

  /** Accepts nothing more. */
  close(): void {
    this.#server.close()
    for (const socket of this.#waiting) socket.destroy()
  }

  #accept(socket: Socket): void {
    const gateways = this.#gateways()
    const gateway = gateways[this.#next++ % Math.max(1, gateways.length)]
    if (gateway !== undefined) return gateway.serve(socket, () => socket.destroy())
    if (this.#waiting.size >= MAX_WAITING) return void socket.destroy()
    this.#waiting.add(socket)
    socket.once('error', () => this.#waiting.delete(socket))
    socket.once('close', () => this.#waiting.delete(socket))
  }
}
