/** Requests as a client outside makes them, down to the bytes: no redirects, no normalised paths, every answer with its headers as sent. */
import type { IncomingHttpHeaders } from 'node:http'
import { request } from 'node:http'
import { connect } from 'node:net'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The body as JSON; fails with the text when it is none. */
  readonly json: unknown
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string | string[]>>
  /** An object is sent as JSON, a string as it is. */
  readonly body?: unknown
  /** Sends the body in chunks, without Content-Length. */
  readonly chunked?: boolean
}

const LIMIT_MS = 20_000

/** One request on a connection of its own. `path` is sent exactly as given. */
export function send(
  base: string,
  method: string,
  path: string,
  { headers = {}, body, chunked = false }: RequestOptions = {},
): Promise<Answer> {
  const { hostname, port } = new URL(base)
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  const typed = body !== undefined && typeof body !== 'string' ? { 'content-type': 'application/json' } : {}
  const sized =
    text === undefined ? {} : chunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(Buffer.byteLength(text)) }
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { hostname, port, method, path, headers: { ...typed, ...sized, ...headers }, agent: false, timeout: LIMIT_MS },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => resolve(answer(response.statusCode ?? 0, response.headers, Buffer.concat(chunks).toString('utf8'))))
      },
    )
    outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${path} had no answer within ${LIMIT_MS} ms`)))
    outgoing.on('error', reject)
    outgoing.end(text)
  })
}

/** Sends bytes and resolves with the first answer, whether or not they are HTTP. The connection is then closed. */
export function sendRaw(base: string, bytes: string): Promise<Answer> {
  const { hostname, port } = new URL(base)
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) })
    let received = ''
    const finish = (): void => {
      socket.destroy()
      const parsed = parse(received)
      if (parsed === undefined) reject(new Error(`No whole answer came, only ${JSON.stringify(received)}`))
      else resolve(parsed)
    }
    socket.setEncoding('latin1')
    socket.setTimeout(LIMIT_MS, finish)
    socket.on('data', (piece: string) => {
      received += piece
      if (parse(received) !== undefined) finish()
    })
    // A server that has refused may reset the connection while we still send; what it has said counts.
    socket.on('error', () => undefined)
    socket.on('close', finish)
    socket.write(bytes, 'latin1')
  })
}

function parse(received: string): Answer | undefined {
  const [head, ...rest] = received.split('\r\n\r\n')
  if (head === undefined || rest.length === 0) return undefined
  const [line = '', ...fields] = head.split('\r\n')
  const headers = Object.fromEntries(
    fields.map((field) => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 1).trim()]),
  )
  const body = rest.join('\r\n\r\n')
  if (body.length < Number(headers['content-length'] ?? 0)) return undefined
  return answer(Number(line.split(' ')[1]), headers, body)
}

function answer(status: number, headers: IncomingHttpHeaders, text: string): Answer {
  return {
    status,
    headers,
    text,
    get json(): unknown {
      try {
        return JSON.parse(text)
      } catch {
        throw new Error(`The answer ${status} is not JSON: ${text}`)
      }
    },
  }
}
