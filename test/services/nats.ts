/**
 * A NATS server with JetStream of one's own: private store directory, a private port on 127.0.0.1, gone when closed or when
 * the test run dies. It can be stopped, killed, frozen and started with its streams kept.
 */
import { randomBytes } from 'node:crypto'
import { access, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { delimiter, join } from 'node:path'
import { freePort } from './free-port.ts'
import type { Running, Sandbox } from './sandbox.ts'
import { openSandbox } from './sandbox.ts'
import { waitUntil } from './wait-until.ts'

export interface NatsServer {
  readonly url: string
  /** Starts a stopped or killed server on its old port and store; resolves when JetStream answers there. */
  readonly start: () => Promise<void>
  /** Closes connections and shuts down cleanly. */
  readonly stop: () => Promise<void>
  /** kill -9. */
  readonly kill: () => Promise<void>
  /** Kills the server and deletes its store. */
  readonly close: () => Promise<void>
}

export interface NatsServerOptions {
  /** Default: true. Without, it is a NATS that keeps nothing. */
  readonly jetstream?: boolean
}

const startTimeoutMs = 30_000

export async function startNats(options: NatsServerOptions = {}): Promise<NatsServer> {
  const program = await natsProgram()
  const sandbox = await openSandbox('nats')
  try {
    return await createServer(sandbox, program, options)
  } catch (error) {
    await sandbox.close()
    throw error
  }
}

async function createServer(sandbox: Sandbox, program: string, { jetstream = true }: NatsServerOptions): Promise<NatsServer> {
  const port = await freePort()
  const password = randomBytes(16).toString('hex')
  const configuration = join(sandbox.directory, 'nats.conf')
  await writeFile(
    configuration,
    `
listen: "127.0.0.1:${port}"
max_payload: 8MB
authorization { user: skerry, password: "${password}" }
${jetstream ? `jetstream { store_dir: "${join(sandbox.directory, 'store')}", max_mem: 64MB, max_file: 1GB }` : ''}
`,
  )
  let server: Running | undefined
  const start = async (): Promise<void> => {
    if (server !== undefined && !server.exited) return
    const started = await sandbox.run('nats', program, ['-c', configuration])
    server = started
    await waitUntil(
      `NATS speaks on port ${port}`,
      startTimeoutMs,
      async () => {
        if (started.exited) throw new Error(`NATS did not start on port ${port}. ${await started.logTail()}`)
        return (await greets(port)) || undefined
      },
      () => started.logTail(),
    )
  }
  await start()
  return {
    url: `nats://skerry:${password}@127.0.0.1:${port}`,
    start,
    stop: async () => server?.end('SIGTERM'),
    kill: async () => server?.end('SIGKILL'),
    async close() {
      await server?.end('SIGKILL')
      await sandbox.close()
    },
  }
}

/** Whether the server introduces itself. It listens for clients only when JetStream has recovered its streams. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    const end = (answered: boolean): void => {
      socket.destroy()
      resolve(answered)
    }
    socket.setTimeout(2_000, () => end(false))
    socket.once('data', (bytes) => end(bytes.toString('latin1').startsWith('INFO ')))
    socket.once('error', () => end(false))
    socket.once('close', () => end(false))
  })
}

async function natsProgram(): Promise<string> {
  for (const directory of [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']) {
    const file = join(directory, 'nats-server')
    const found = await access(file).then(
      () => true,
      () => false,
    )
    if (found) return file
  }
  throw new Error(
    'These tests need a NATS server, and nats-server was not found. ' +
      'Run `npm test`, which installs it on Debian, or name a server with JetStream in SKERRY_TEST_NATS_URL.',
  )
}
