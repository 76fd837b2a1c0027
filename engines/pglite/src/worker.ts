/** The thread that PGlite runs on when it must not block the service's. It holds no state but the instance. */
import { availableParallelism } from 'node:os'
import type { MessagePort } from 'node:worker_threads'
import { receiveMessageOnPort, workerData } from 'node:worker_threads'
import { openInstance } from './instance.ts'
import { AnsweringEnd } from './shared-channel.ts'
import type { FromWorker, ToWorker, WorkerSettings } from './worker-messages.ts'

/**
 * How often it looks for the next request before it sleeps, some 50 µs in all: being woken takes longer than most statements, and inside a
 * transaction the next request follows at once.
 */
const LOOKS_BEFORE_SLEEP = availableParallelism() > 1 ? 8_000 : 0

const { directory, memory, port } = workerData as WorkerSettings & { readonly port: MessagePort }
const send = (message: FromWorker): void => port.postMessage(message)

const instance = await openInstance(directory).catch(fail)
send({ kind: 'opened' })
const channel = new AnsweringEnd(memory)
for (;;) await handle(channel.next(LOOKS_BEFORE_SLEEP))

async function handle(inMemory: Uint8Array | undefined): Promise<void> {
  const requests = inMemory ?? (await besides())
  const answers = await instance.exchange(requests).catch(fail)
  channel.answer(
    answers,
    () => send({ kind: 'answered', answers }),
    () => send({ kind: 'wake' }),
  )
}

/** Requests that are too long for shared memory, unless it was to close. */
async function besides(): Promise<Uint8Array> {
  const message = receiveMessageOnPort(port)!.message as ToWorker
  if (message.kind === 'exchange') return message.requests
  await instance.close().catch(fail)
  process.exit()
}

function fail(error: unknown): never {
  // What the WebAssembly runtime throws has a message, but is not always an Error.
  send({
    kind: 'failed',
    message: typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error),
  })
  process.exit(1)
}
