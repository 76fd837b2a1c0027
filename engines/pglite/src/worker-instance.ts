/** PGlite on a thread of its own, so that a long statement does not stop timers, sockets and health checks. */
import { availableParallelism } from 'node:os'
import type { MessagePort } from 'node:worker_threads'
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { Instance } from './instance.ts'
import { AskingEnd, sharedMemory } from './shared-channel.ts'
import type { FromWorker, ToWorker, WorkerSettings } from './worker-messages.ts'

interface Waiting {
  resolve(answers: Uint8Array): void
  reject(error: Error): void
}

// Sources run as they are; what is built runs from dist/ beside this file.
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)

/**
 * How often it looks for an answer, some 150 µs in all, before it lets itself be woken: the statement of a transaction mostly takes less than
 * being woken does, and its service waits for it. Made nearly three times as many inserts per second, one after the other.
 */
const LOOKS = availableParallelism() > 1 ? 23_000 : 0
/** So many statements, some milliseconds of them, may follow each other before timers and sockets have a turn. */
const MAX_LOOKS_IN_TURN = 100
/** What is longer than that carries many rows, and is not answered soon. */
const SHORT_REQUEST_BYTES = 2_000

/** Like `openInstance`, in a worker. Rejects with what PGlite said. */
export async function openInWorker(directory: string | undefined): Promise<WorkerInstance> {
  const instance = new WorkerInstance(directory)
  await instance.opened
  return instance
}

export class WorkerInstance implements Instance {
  readonly #worker: Worker
  readonly #port: MessagePort
  readonly #ended: Promise<void>
  readonly #opening = Promise.withResolvers<void>()
  readonly #memory = sharedMemory()
  readonly #channel = new AskingEnd(this.#memory)
  readonly #waiting: Waiting[] = []
  /** Those for which there is no slot yet. */
  readonly #unsent: ToWorker[] = []
  readonly #longAnswers: Uint8Array[] = []
  #looksInTurn = 0
  #failure: Error | undefined

  constructor(directory: string | undefined) {
    const { port1, port2: port } = new MessageChannel()
    this.#port = port1
    // The process's own options (--input-type, --inspect, a preloaded agent) are not for this thread.
    this.#worker = new Worker(WORKER, {
      workerData: { directory, memory: this.#memory, port } satisfies WorkerSettings & { port: MessagePort },
      transferList: [port],
      name: 'pglite',
      execArgv: [],
    })
    this.#worker.on('error', (error) => this.#fail(error instanceof Error ? error : new Error(String(error))))
    this.#ended = new Promise((resolve) =>
      this.#worker.on('exit', () => {
        // What it said last may not have been heard yet.
        for (let last = receiveMessageOnPort(this.#port); last !== undefined; last = receiveMessageOnPort(this.#port))
          this.#receive(last.message as FromWorker)
        this.#fail(new Error('the thread that PGlite runs on has ended'))
        resolve()
      }),
    )
    this.#port.on('message', (message: FromWorker) => this.#receive(message))
  }

  get opened(): Promise<void> {
    return this.#opening.promise
  }

  exchange(requests: Uint8Array, endsTurn = false): Promise<Uint8Array> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#send({ kind: 'exchange', requests })
      if (requests.byteLength > SHORT_REQUEST_BYTES) this.#sleep()
      else if (!endsTurn && this.#looksInTurn++ < MAX_LOOKS_IN_TURN) queueMicrotask(() => this.#lookForAnswers())
      else
        // oxlint-disable-next-line no-restricted-globals -- Whoever has the next turn sends first: a turn of the event loop, not a time.
        setImmediate(() => {
          this.#looksInTurn = 0
          this.#lookForAnswers()
        })
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
    if (message.kind === 'failed') return this.#fail(new Error(message.message))
    if (message.kind === 'opened') return this.#opening.resolve()
    // A message with an answer that was too long for its slot may come before the slot that says so is looked at.
    if (message.kind === 'answered') this.#longAnswers.push(message.answers)
    this.#takeAnswers()
    this.#sleep()
  }

  #lookForAnswers(): void {
    if (this.#waiting.length > 0 && this.#channel.look(LOOKS)) this.#takeAnswers()
    this.#sleep()
  }

  #takeAnswers(): void {
    for (;;) {
      const answer = this.#channel.take(() => this.#longAnswer())
      if (answer === undefined) return
      this.#waiting.shift()?.resolve(answer)
      const next = this.#unsent.shift()
      if (next !== undefined) this.#send(next)
    }
  }

  #longAnswer(): Uint8Array | undefined {
    while (this.#longAnswers.length === 0) {
      const message = receiveMessageOnPort(this.#port)?.message as FromWorker | undefined
      if (message === undefined) return undefined
      if (message.kind === 'failed') this.#fail(new Error(message.message))
      else if (message.kind === 'answered') this.#longAnswers.push(message.answers)
    }
    return this.#longAnswers.shift()
  }

  /** Lets itself be woken by a message, when somebody waits. */
  #sleep(): void {
    while (this.#waiting.length > 0 && !this.#channel.sleep()) this.#takeAnswers()
  }

  #send(message: ToWorker): void {
    if (!this.#channel.hasRoom) this.#unsent.push(message)
    else this.#channel.send(message.kind === 'exchange' ? message.requests : undefined, () => this.#port.postMessage(message))
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#opening.reject(this.#failure)
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#failure)
  }
}
