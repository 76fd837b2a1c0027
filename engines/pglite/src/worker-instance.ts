/** PGlite on a thread of its own, so that a long statement does not stop timers, sockets and health checks. */
import { availableParallelism } from 'node:os'
import type { MessagePort } from 'node:worker_threads'
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { Instance } from './instance.ts'
import type { FromWorker, ToWorker, WorkerSettings } from './worker-messages.ts'

interface Waiting {
  resolve(answers: Uint8Array): void
  reject(error: Error): void
}

// Sources run as they are; what is built runs from dist/ beside this file.
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)

/**
 * How often it looks for an answer, some 150 µs in all, before it lets itself be woken: the statement of a transaction mostly takes less
 * than being woken does, and its service waits for it. Made nearly three times as many inserts per second, one after the other.
 */
const LOOKS = availableParallelism() > 1 ? 3_000 : 0
/** What is longer than that carries many rows, and is not answered soon. */
const SHORT_REQUEST_BYTES = 2_000

/** Like `openInstance`, in a worker. Rejects with what PGlite said. */
export async function openInWorker(directory: string | undefined): Promise<WorkerInstance> {
  const instance = new WorkerInstance({ directory })
  await instance.opened
  return instance
}

export class WorkerInstance implements Instance {
  readonly opened: Promise<void>
  readonly #worker: Worker
  readonly #port: MessagePort
  readonly #ended: Promise<void>
  readonly #waiting: Waiting[] = []
  #failure: Error | undefined

  constructor(settings: WorkerSettings) {
    const { port1, port2: port } = new MessageChannel()
    this.#port = port1
    // The process's own options (--input-type, --inspect, a preloaded agent) are not for this thread.
    this.#worker = new Worker(WORKER, { workerData: { ...settings, port }, transferList: [port], name: 'pglite', execArgv: [] })
    this.#worker.on('error', (error) => this.#fail(error instanceof Error ? error : new Error(String(error))))
    this.#ended = new Promise((resolve) =>
      this.#worker.on('exit', () => {
        this.#fail(new Error('the thread that PGlite runs on has ended'))
        resolve()
      }),
    )
    this.opened = new Promise((resolve, reject) => {
      const waiting = { resolve: () => resolve(), reject }
      this.#waiting.push(waiting)
    })
    this.#port.on('message', (message: FromWorker) => this.#receive(message))
  }

  exchange(requests: Uint8Array, endsTurn = false): Promise<Uint8Array> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#send({ kind: 'exchange', requests })
      if (requests.byteLength > SHORT_REQUEST_BYTES) return
      if (!endsTurn) queueMicrotask(() => this.#lookForAnswers())
      // oxlint-disable-next-line no-restricted-globals -- Whoever has the next turn sends first: a turn of the event loop, not a time.
      else setImmediate(() => this.#lookForAnswers())
    })
  }

  async close(): Promise<void> {
    if (this.#failure === undefined) this.#send({ kind: 'close' })
    await this.#ended
  }

  /** Ends the thread, whatever it is doing. */
  abandon(): void {
    void this.#worker.terminate()
  }

  #receive(message: FromWorker): void {
    if (message.kind === 'failed') this.#fail(new Error(message.message))
    else this.#waiting.shift()?.resolve(message.kind === 'answered' ? message.answers : new Uint8Array())
  }

  #lookForAnswers(): void {
    for (let look = 0; look < LOOKS && this.#waiting.length > 0; look++) {
      const received = receiveMessageOnPort(this.#port)
      if (received !== undefined) this.#receive(received.message as FromWorker)
    }
  }

  #send(message: ToWorker): void {
    this.#port.postMessage(message)
  }

  #fail(error: Error): void {
    this.#failure ??= error
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#failure)
  }
}
