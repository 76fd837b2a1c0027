/** Asks a server whether it speaks the fast wire, by an upgrade of HTTP/1.1 (RFC 9110, 7.8). Proxies that know nothing of it pass on an ordinary request. */
import type { IncomingMessage } from 'node:http'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import type { Clock } from '../base/clock.ts'
import { SkerryError } from '../base/errors.ts'
import { PROTOCOL } from './frame.ts'

/** Where it is asked; whoever does not know it answers 404 (RFC 8615 keeps such paths free of other uses). */
const PATH = '/.well-known/skerry-wire'
const HANDSHAKE_MS = 3_000

export interface Upgraded {
  readonly socket: Socket
  /** What has come behind the answer. */
  readonly head: Buffer
}

/** Rejects with `unavailable` when there is no connection, or the server does not change to the protocol; `data.unsent` is true. */
export function upgrade(baseUrl: string, clock: Clock, signal: AbortSignal): Promise<Upgraded> {
  const { protocol, origin, pathname } = new URL(baseUrl)
  const url = origin + pathname.replace(/\/$/, '') + PATH
  const send = protocol === 'https:' ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    // Of its own connection, which is not to be kept when it comes to nothing.
    const request = send(url, { agent: false, headers: { connection: 'Upgrade', upgrade: PROTOCOL }, signal })
    const timer = clock.setTimer(HANDSHAKE_MS, () => request.destroy(new Error(`no answer to the upgrade within ${HANDSHAKE_MS} ms`)))
    const refuse = (reason: string, cause?: unknown): void => {
      timer.cancel()
      reject(new SkerryError('unavailable', `${baseUrl}: ${reason}`, { cause, data: { unsent: true } }))
    }
    request.on('upgrade', (answer: IncomingMessage, socket: Socket, head: Buffer) => {
      timer.cancel()
      if (answer.headers.upgrade !== PROTOCOL) {
        socket.destroy()
        return refuse(`it changed to ${String(answer.headers.upgrade)} instead of ${PROTOCOL}`)
      }
      socket.setNoDelay(true)
      resolve({ socket, head })
    })
    request.on('response', (answer: IncomingMessage) => {
      request.destroy()
      refuse(`it answered ${String(answer.statusCode)} and did not change to ${PROTOCOL}`)
    })
    request.on('error', (error: NodeJS.ErrnoException) => refuse(error.code ?? error.message, error))
    request.end()
  })
}
