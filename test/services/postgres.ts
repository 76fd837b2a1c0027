/**
 * A PostgreSQL server of one's own: private data directory, private port on 127.0.0.1, gone when closed or when the test
 * run dies. It can be stopped and started with its data kept, which is what fault tests need.
 */
import { randomBytes } from 'node:crypto'
import { access, readdir, readFile, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { freePort } from './free-port.ts'
import type { Running, Sandbox } from './sandbox.ts'
import { openSandbox, unprivilegedOwner } from './sandbox.ts'
import { waitUntil } from './wait-until.ts'

export interface PostgresServer {
  /** Of the superuser, over TCP, to the database `postgres`. */
  readonly url: string
  /** Starts a stopped server on its old port and data; resolves when it accepts connections. */
  start(): Promise<void>
  /** `fast` ends sessions and shuts down cleanly; `immediate` is a crash: the next start recovers from the log. */
  stop(mode: 'fast' | 'immediate'): Promise<void>
  /** Stops the server and deletes its data. */
  close(): Promise<void>
}

export interface PostgresOptions {
  /** Default true: a commit is on disk when it returns. Off is faster and still survives `stop('immediate')`, not power loss. */
  readonly fsync?: boolean
}

const startTimeoutMs = 60_000
const preferredVersion = '15'

export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const binaries = await postgresBinaries()
  const sandbox = await openSandbox('postgres', await unprivilegedOwner('postgres'))
  try {
    return await createServer(sandbox, binaries, options)
  } catch (error) {
    await sandbox.close()
    throw error
  }
}

async function createServer(sandbox: Sandbox, binaries: string, options: PostgresOptions): Promise<PostgresServer> {
  const password = randomBytes(16).toString('hex')
  const data = join(sandbox.directory, 'data')
  const passwordFile = join(sandbox.directory, 'password')
  await writeFile(passwordFile, password, { mode: 0o644 })
  const cluster = ['--username', 'postgres', '--pwfile', passwordFile, '--auth', 'scram-sha-256', '--encoding', 'UTF8', '--no-locale']
  await sandbox.execute(join(binaries, 'initdb'), ['--pgdata', data, ...cluster, '--no-sync', '--no-instructions'])
  const port = await freePort()
  await writeFile(join(data, 'postgresql.conf'), settings(port, options.fsync ?? true), { flag: 'a' })

  let server: Running | undefined
  const start = async (): Promise<void> => {
    if (server !== undefined && !server.exited) return
    const started = await sandbox.run('postgres', join(binaries, 'postgres'), ['-D', data])
    server = started
    await waitUntil(
      `PostgreSQL accepts connections on port ${port}`,
      startTimeoutMs,
      async () => {
        if (started.exited) throw new Error(`PostgreSQL did not start on port ${port}. ${await started.logTail()}`)
        return (await isReady(data, started.pid)) || undefined
      },
      () => started.logTail(),
    )
  }
  await start()
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    start,
    stop: async (mode) => server?.end(mode === 'fast' ? 'SIGINT' : 'SIGQUIT'),
    async close() {
      await server?.end('SIGQUIT')
      await sandbox.close()
    },
  }
}

/** The line of postmaster.pid that pg_ctl itself waits for; the process id tells this start's file from an older one's. */
async function isReady(data: string, pid: number): Promise<boolean> {
  const lines = (await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
  return lines[0] === String(pid) && lines[7]?.trim() === 'ready'
}

function settings(port: number, fsync: boolean): string {
  return `
listen_addresses = '127.0.0.1'
port = ${port}
unix_socket_directories = ''
max_connections = 300
shared_buffers = 64MB
fsync = ${fsync ? 'on' : 'off'}
full_page_writes = ${fsync ? 'on' : 'off'}
checkpoint_timeout = 30min
max_wal_size = 2GB
jit = off
timezone = 'UTC'
log_line_prefix = '%m [%p] %d %u '
`
}

/** Where PostgreSQL's programs are: version 15 if there is one, else the newest in Debian's place, else those on the PATH. */
async function postgresBinaries(): Promise<string> {
  const root = '/usr/lib/postgresql'
  const versions = (await readdir(root).catch(() => [])).toSorted((a, b) => rank(b) - rank(a))
  const candidates = [...versions.map((version) => join(root, version, 'bin')), ...(process.env['PATH'] ?? '').split(delimiter)]
  for (const directory of candidates)
    if ((await isThere(join(directory, 'initdb'))) && (await isThere(join(directory, 'postgres')))) return directory
  throw new Error(
    'These tests need PostgreSQL, and no initdb was found in /usr/lib/postgresql/*/bin or on the PATH. ' +
      'Run `npm test`, which installs it on Debian, or name a server in SKERRY_TEST_POSTGRES_URL (a superuser, over TCP).',
  )
}

const rank = (version: string): number => (version === preferredVersion ? Number.POSITIVE_INFINITY : Number(version))

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  )
