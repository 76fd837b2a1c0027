/** One connection, bytes as given, and every answer that comes back on it until it closes: for requests that are not, or not quite, HTTP. */
import { connect } from 'node:net'

export interface RawAnswer {
  readonly status: number
  readonly text: string
  readonly json: unknown
}

const LIMIT_MS = 20_000

/** Sends the bytes; `end` also ends our side of the connection. Resolves when the server has closed its side. */
export function exchange(base: string, bytes: string, { end = false }: { readonly end?: boolean } = {}): Promise<readonly RawAnswer[]> {
  const { hostname, port } = new URL(base)
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) })
    let received = ''
    socket.setEncoding('latin1')
    socket.setTimeout(LIMIT_MS, () =>
      socket.destroy(new Error(`The connection was still open after ${LIMIT_MS} ms, with ${JSON.stringify(received)}`)),
    )
    socket.on('data', (piece: string) => (received += piece))
    // A server that refuses may reset while we still send; what it has said counts.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error)
    })
    socket.on('close', () => {
      try {
        resolve(answersIn(received))
      } catch (error) {
        reject(error)
      }
    })
    socket.write(bytes, 'latin1')
    if (end) socket.end()
  })
}

function answersIn(received: string): RawAnswer[] {
  const answers: RawAnswer[] = []
  let rest = received
  while (rest !== '') {
    const headEnd = rest.indexOf('\r\n\r\n')
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(rest)?.[1]
    if (headEnd === -1 || status === undefined) throw new Error(`This is no answer: ${JSON.stringify(rest)}`)
    const bodyBytes = Number(/^content-length: *(\d+)/im.exec(rest.slice(0, headEnd))?.[1] ?? 0)
    const text = rest.slice(headEnd + 4, headEnd + 4 + bodyBytes)
    answers.push({ status: Number(status), text, json: text === '' ? undefined : (JSON.parse(text) as unknown) })
    rest = rest.slice(headEnd + 4 + bodyBytes)
  }
  return answers
}
