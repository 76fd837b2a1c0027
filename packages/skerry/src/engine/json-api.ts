/** For engines: the boundary to a server that is asked in JSON over HTTP. Answers have a size and a time; streams of JSON lines have an end. */
import { Agent, request } from 'undici'

export interface JsonApiOptions {
  /** Without a path. */
  readonly origin: string
  /** Asked for before each request: tokens change. */
  readonly headers?: () => Promise<Readonly<Record<string, string>>>
  /** Certificates that are trusted instead of the machine's, as PEM. */
  readonly ca?: string | undefined
}

export interface JsonRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly body?: unknown
  readonly signal: AbortSignal
  /** Until the whole answer is there; of a stream, until something comes. In milliseconds. Default 5,000. */
  readonly timeoutMs?: number
}

export interface JsonAnswer {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Undefined when it is empty. */
  readonly body: unknown
}

const TIMEOUT_MS = 5_000
const MAX_ANSWER_BYTES = 16 * 1_048_576

export class JsonApi implements AsyncDisposable {
  readonly #options: JsonApiOptions
  readonly #agent: Agent

  constructor(options: JsonApiOptions) {
    this.#options = options
    this.#agent = new Agent({ connect: { timeout: TIMEOUT_MS, ...(options.ca === undefined ? {} : { ca: options.ca }) } })
  }

  /** Rejects, saying why, unless the answer is 2xx. */
  async ask(asked: JsonRequest): Promise<JsonAnswer> {
    const { headers, body } = await this.#send(asked)
    let text = ''
    for await (const chunk of body.setEncoding('utf8') as AsyncIterable<string>) {
      text += chunk
      if (text.length > MAX_ANSWER_BYTES) throw new Error(`the answer of ${asked.path} is larger than ${MAX_ANSWER_BYTES} bytes`)
    }
    return { headers, body: parse(text) }
  }

  /** The values of a stream of JSON lines, until it ends. Rejects when nothing comes for `timeoutMs`. */
  async *lines(asked: JsonRequest): AsyncGenerator {
    const { body } = await this.#send(asked)
    let rest = ''
    for await (const chunk of body.setEncoding('utf8') as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop()!
      if (rest.length > MAX_ANSWER_BYTES) throw new Error(`a line of ${asked.path} is larger than ${MAX_ANSWER_BYTES} bytes`)
      for (const line of lines) if (line.trim() !== '') yield parse(line)
    }
    if (rest.trim() !== '') yield parse(rest)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy()
  }

  async #send({ method = 'GET', path, body, signal, timeoutMs = TIMEOUT_MS }: JsonRequest) {
    const { origin, headers } = this.#options
    const answer = await request(`${origin}${path}`, {
      method,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(await headers?.()),
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      dispatcher: this.#agent,
    })
    if (answer.statusCode >= 200 && answer.statusCode < 300) return answer
    const reason = (await answer.body.text()).slice(0, 200).trim()
    throw new JsonApiError(answer.statusCode, `${method} ${path.split('?')[0]!} was answered ${answer.statusCode}: ${reason}`)
  }
}

/** An answer that is not 2xx. */
export class JsonApiError extends Error {
  override readonly name = 'JsonApiError'
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

function parse(text: string): unknown {
  return text.trim() === '' ? undefined : JSON.parse(text)
}
