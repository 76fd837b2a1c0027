/** The thread that PGlite runs on when it must not block the service's. It holds no state but the instance. */
import type { MessagePort } from 'node:worker_threads'
import { receiveMessageOnPort, workerData } from 'node:worker_threads'
import { openInstance } from './instance.ts'
import type { FromWorker, ToWorker, WorkerSettings } from './worker-messages.ts'

/**
 * How often it looks for the next request before it sleeps, some 50 µs in all: being woken takes longer than most
 * statements, and inside a transaction the next request follows at once. Made half as many transactions per second again.
 */
const LOOKS_BEFORE_SLEEP = 1_000

const { directory, port } = workerData as WorkerSettings & { readonly port: MessagePort }
const send = (message: FromWorker): void => port.postMessage(message)

const instance = await openInstance(directory).catch(fail)
port.on('message', (message: ToWorker) => void work(message))
send({ kind: 'opened' })

async function work(message: ToWorker): Promise<void> {
  for (let next: ToWorker | undefined = message; next !== undefined; next = nextMessage()) await handle(next)
}

async function handle(message: ToWorker): Promise<void> {
  if (message.kind === 'exchange') return send({ kind: 'answered', answers: await instance.exchange(message.requests).catch(fail) })
  await instance.close().catch(fail)
  process.exit()
}

function nextMessage(): ToWorker | undefined {
  for (let look = 0; look < LOOKS_BEFORE_SLEEP; look++) {
    const received = receiveMessageOnPort(port)
    if (received !== undefined) return received.message as ToWorker
  }
  return undefined
}

function fail(error: unknown): never {
  // What the WebAssembly runtime throws has a message, but is not always an Error.
  send({
    kind: 'failed',
    message: typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error),
  })
  process.exit(1)
}
