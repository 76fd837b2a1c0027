/**
 * The process that `skerry dev` runs the services in. It loads the system, waits until its predecessor has let go of the data,
 * starts, and stops when it is told to or when its parent is gone.
 */
import { fileURLToPath } from 'node:url'
import type { Host } from 'skerry/runtime'
import { describeFailure, EXIT, isSkerryError } from '../failure.ts'
import { keepAlive } from '../keep-alive.ts'
import type { PreparedHost } from '../run-host.ts'
import { prepareHost } from '../run-host.ts'
import { startedFacts } from '../started.ts'
import { loadSystem } from '../system-file.ts'
import type { FromHost, ToHost } from './messages.ts'
import { readableLog } from './readable-log.ts'
import { noteSources } from './sources.ts'

/** For closing what is left when the time for requests in progress is over. */
const CLOSING_MS = 5_000

const [file, verbose] = process.argv.slice(2)
const sources = noteSources()
const givenUp = new AbortController()
let starting: Promise<Host> | undefined

// A terminal sends Ctrl-C to both; the parent decides in which order things end.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => void stop())
process.on('disconnect', () => void stop())
process.on('uncaughtException', (error) => {
  process.stderr.write(describeFailure(error, true).text)
  process.exit(EXIT.failed)
})
keepAlive()

try {
  const loaded = await loadSystem(file)
  const prepared = await prepareHost(loaded, [], process.env, readableLog(process.stdout))
  process.on('message', (message: ToHost) => {
    if (message.kind === 'stop') void stop()
    else void start(loaded.system.name, prepared)
  })
  const { host, gatewayPort, drainMs, graceMs } = prepared.configuration
  await send({
    kind: 'loaded',
    sources: [...sources.values()],
    folders: loaded.system.services.flatMap(({ migrations }) => (migrations?.protocol === 'file:' ? [fileURLToPath(migrations)] : [])),
    gateway: gatewayPort === undefined ? null : { host, port: gatewayPort },
    stopLimitMs: drainMs + graceMs + CLOSING_MS,
  })
} catch (error) {
  await fail(error)
}

async function start(system: string, prepared: PreparedHost): Promise<void> {
  try {
    // The parent has the gateway's port and passes its connections on.
    starting = prepared.start({ onProgress: (step) => void send({ kind: 'progress', step }), signal: givenUp.signal, gatewayPort: 0 })
    const host = await starting
    await send({ kind: 'started', facts: await startedFacts(system, prepared, host) })
  } catch (error) {
    if (!givenUp.signal.aborted) await fail(error)
  }
}

async function stop(): Promise<void> {
  if (givenUp.signal.aborted) return
  givenUp.abort()
  const host = await starting?.catch(() => undefined)
  await host?.stop()
  process.exit()
}

async function fail(error: unknown): Promise<void> {
  const { exitCode, text } = describeFailure(error, verbose === 'verbose')
  const inCode = exitCode !== EXIT.configuration && !(isSkerryError(error) && error.code === 'databaseUnavailable')
  await send({ kind: 'failed', failed: { text, exitCode, inCode }, sources: [...sources.values()] })
  process.exit(exitCode)
}

/** Resolves when the message has been handed over, or the parent is gone. */
function send(message: FromHost): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve()
    else process.send(message, () => resolve())
  })
}
