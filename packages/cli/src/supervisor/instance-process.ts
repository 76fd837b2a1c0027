/**
 * The process of one instance: `skerry start <service>`, told what to do by its supervisor. It stops in order when it is told to, and when the
 * supervisor is gone, however that came about.
 */
import type { Socket } from 'node:net'
import type { Host } from 'skerry/runtime'
import { describeFailure, EXIT } from '../failure.ts'
import { keepAlive } from '../keep-alive.ts'
import { prepareHost } from '../run-host.ts'
import { loadSystem } from '../system-file.ts'
import type { FromInstance, ToInstance } from './messages.ts'

/** For closing what is left when the time for requests in progress is over. */
const CLOSING_MS = 5_000
const MEMORY_EVERY_MS = 1_000

const [file, name = '', verbose] = process.argv.slice(2)
const givenUp = new AbortController()
let starting: Promise<Host> | undefined
let running: Host | undefined
/** Those that came before the gateway could serve them. */
const early: Socket[] = []

// A terminal sends Ctrl-C to all; the supervisor decides in which order things end.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => void stop())
process.on('disconnect', () => void stop())
process.on('uncaughtException', (error) => {
  process.stderr.write(describeFailure(error, true).text)
  process.exit(EXIT.failed)
})
process.on('message', (message: ToInstance, socket: Socket | undefined) => {
  if (message.kind === 'stop') void stop()
  // The peer may have gone on the way.
  else if (socket === undefined) return
  else if (running === undefined) early.push(socket)
  else running.serveGateway?.(socket)
})
keepAlive()

try {
  const loaded = await loadSystem(file)
  const prepared = await prepareHost(loaded, [name], process.env, undefined)
  const { drainMs, graceMs } = prepared.configuration
  const reportMemory = (): void => {
    void send({ kind: 'memory', rssBytes: process.memoryUsage.rss() })
    loaded.platform.systemClock.setTimer(MEMORY_EVERY_MS, reportMemory)
  }
  starting = prepared.start({ onProgress: (step) => prepared.log.info(step, { service: name }), signal: givenUp.signal })
  running = await starting
  for (const socket of early.splice(0)) running.serveGateway?.(socket)
  reportMemory()
  await send({ kind: 'started', stopLimitMs: drainMs + graceMs + CLOSING_MS, admin: running.adminUrl ?? null })
} catch (error) {
  if (!givenUp.signal.aborted) {
    const { exitCode, text } = describeFailure(error, verbose === 'verbose')
    await send({ kind: 'failed', text })
    process.exit(exitCode)
  }
}

async function stop(): Promise<void> {
  if (givenUp.signal.aborted) return
  givenUp.abort()
  const host = await starting?.catch(() => undefined)
  await host?.stop()
  process.exit()
}

/** Resolves when the message has been handed over, or the supervisor is gone. */
function send(message: FromInstance): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve()
    else process.send(message, () => resolve())
  })
}
