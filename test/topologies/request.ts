/** HTTP as a plain client sends it: no redirect is followed, and the body is JSON both ways. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** Parsed; undefined when there is none. */
  readonly body: unknown
}

/** `body` is sent as JSON; a string is sent as it is. */
export async function request(
  method: string,
  url: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    redirect: 'manual',
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : (JSON.parse(text) as unknown) }
}
