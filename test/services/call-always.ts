/** Load: requests over real sockets, one after the other at several places at once, until it is told to stop. Whatever is not 200 is a failure. */

export interface Request {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: unknown
}

export interface Calls<Answer> {
  /** What went wrong, in words. */
  readonly failures: readonly string[]
  readonly answers: readonly { readonly request: Request; readonly answer: Answer }[]
  /** Resolves when so many more have been answered. */
  more(count: number): Promise<void>
  /** Resolves when the last one has been answered. */
  stop(): Promise<void>
}

/** Sends the requests by turns. */
export function callAlways<Answer>(url: string, requests: readonly Request[], concurrency: number): Calls<Answer> {
  const failures: string[] = []
  const answers: { request: Request; answer: Answer }[] = []
  let made = 0
  let stopped = false
  const one = async (request: Request): Promise<void> => {
    const { method, path, body } = request
    try {
      const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
      const answer = await fetch(url + path, { method, ...sent })
      const text = await answer.text()
      if (answer.status === 200) answers.push({ request, answer: JSON.parse(text) as Answer })
      else failures.push(`${method} ${path} ${answer.status} ${text}`)
    } catch (error) {
      failures.push(`${method} ${path} ${String(error)} ${String((error as Error).cause)}`)
    }
    made++
  }
  const callers = Array.from({ length: concurrency }, async (_, index) => {
    for (let turn = index; !stopped; turn++) await one(requests[turn % requests.length]!)
  })
  return {
    failures,
    answers,
    async more(count) {
      const enough = made + count
      while (made < enough) await new Promise((resolve) => setTimeout(resolve, 1))
    },
    async stop() {
      stopped = true
      await Promise.all(callers)
    },
  }
}
