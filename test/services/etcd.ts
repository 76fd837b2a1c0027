/**
 * An etcd of one's own: private data directory, private ports on 127.0.0.1, gone when closed or when the test run dies. It can be stopped, killed
 * and started with its data kept or lost.
 */
import { access, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { freePort } from './free-port.ts'
import type { Running } from './sandbox.ts'
import { openSandbox } from './sandbox.ts'
import { waitUntil } from './wait-until.ts'

export interface EtcdServer {
  /** `etcd://127.0.0.1:2379` */
  readonly url: string
  /** Starts a stopped or killed server on its old port and data; resolves when it answers there. */
  readonly start: () => Promise<void>
  /** kill -9. */
  readonly kill: () => Promise<void>
  /** Its data is gone; call while it does not run. */
  readonly forget: () => Promise<void>
  readonly close: () => Promise<void>
}

const startTimeoutMs = 30_000

export async function startEtcd(): Promise<EtcdServer> {
  const program = await etcdProgram()
  const sandbox = await openSandbox('etcd')
  const data = join(sandbox.directory, 'data')
  const [port, peerPort] = [await freePort(), await freePort()]
  const [client, peer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`]
  const parameters = [
    ['--name', 'one', '--data-dir', data, '--unsafe-no-fsync', '--logger', 'zap'],
    ['--listen-client-urls', client, '--advertise-client-urls', client],
    ['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `one=${peer}`],
  ].flat()
  let server: Running | undefined
  const start = async (): Promise<void> => {
    if (server !== undefined && !server.exited) return
    const started = await sandbox.run('etcd', program, parameters)
    server = started
    await waitUntil(
      `etcd is healthy on port ${port}`,
      startTimeoutMs,
      async () => {
        if (started.exited) throw new Error(`etcd did not start on port ${port}. ${await started.logTail()}`)
        const answer = await fetch(`${client}/health`).catch(() => undefined)
        return (await answer?.text())?.includes('true') === true || undefined
      },
      () => started.logTail(),
    )
  }
  try {
    await start()
  } catch (error) {
    await sandbox.close()
    throw error
  }
  return {
    url: `etcd://127.0.0.1:${port}`,
    start,
    kill: async () => server?.end('SIGKILL'),
    forget: () => rm(data, { recursive: true, force: true }),
    async close() {
      await server?.end('SIGKILL')
      await sandbox.close()
    },
  }
}

async function etcdProgram(): Promise<string> {
  for (const directory of [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin']) {
    const file = join(directory, 'etcd')
    const found = await access(file).then(
      () => true,
      () => false,
    )
    if (found) return file
  }
  throw new Error(
    'These tests need an etcd, and none was found. Run `npm test`, which installs it on Debian, or name one in SKERRY_TEST_ETCD_URL.',
  )
}
