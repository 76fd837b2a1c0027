/** The thread that PGlite runs on when it must not block the service's. It holds no state but the instance. */
import { parentPort, workerData } from 'node:worker_threads'
import { openInstance } from './instance.ts'
import type { FromWorker, ToWorker, WorkerSettings } from './worker-messages.ts'

const port = parentPort!
const send = (message: FromWorker): void => port.postMessage(message)
const fail = (error: unknown): never => {
  send({ kind: 'failed', message: messageOf(error) })
  process.exit(1)
}

/** What the WebAssembly runtime throws has a message, but is not always an Error. */
const messageOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error)

const { directory } = workerData as WorkerSettings
const instance = await openInstance(directory).catch(fail)

// An exchange is done before the next message arrives: PGlite works while it is called, and only promises follow.
port.on('message', async (message: ToWorker) => {
  if (message.kind === 'exchange') return send({ kind: 'answered', answers: await instance.exchange(message.requests).catch(fail) })
  await instance.close().catch(fail)
  send({ kind: 'closed' })
  port.close()
})
send({ kind: 'opened' })
