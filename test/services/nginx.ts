/**
 * An nginx of one's own, which runs a whole nginx.conf as it is given: private prefix, private pid file and temporary
 * paths, gone when closed or when the test run dies. The configuration brings its own `listen 127.0.0.1:<freePort()>`.
 */
import { access, chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import type { Running, Sandbox } from './sandbox.ts'
import { openSandbox } from './sandbox.ts'
import { waitUntil } from './wait-until.ts'

export interface NginxServer {
  /** Relative paths of the configuration start here. */
  readonly directory: string
  /**
   * Reloads gracefully, with a new configuration if one is given; resolves when the old workers accept no more. A
   * configuration that nginx refuses rejects with nginx's reason and leaves the old one running.
   */
  reload(config?: string): Promise<void>
  close(): Promise<void>
}

export interface NginxOptions {
  /** The full text of an nginx.conf. It leaves `daemon` to us, as a container image does. */
  readonly config: string
  /** Other files it includes, by path relative to the prefix. */
  readonly files?: Readonly<Record<string, string>>
}

const startTimeoutMs = 20_000
const temporaryPaths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']

export async function startNginx(options: NginxOptions): Promise<NginxServer> {
  const nginx = await nginxProgram()
  const sandbox = await openSandbox('nginx')
  try {
    return await createServer(sandbox, nginx, options)
  } catch (error) {
    await sandbox.close()
    throw error
  }
}

async function createServer(sandbox: Sandbox, nginx: string, options: NginxOptions): Promise<NginxServer> {
  const prefix = sandbox.directory
  // Root's workers become another user, who has to reach the files below.
  await chmod(prefix, 0o755)
  const live = join(prefix, 'nginx.conf')
  const next = join(prefix, 'next.conf')
  for (const directory of ['logs', 'temporary']) await mkdir(join(prefix, directory))
  for (const [name, text] of Object.entries(options.files ?? {})) {
    await mkdir(join(prefix, name, '..'), { recursive: true })
    await writeFile(join(prefix, name), text)
  }
  const parameters = (file: string, config: string): string[] => {
    const directives = ['daemon off', `error_log ${join(prefix, 'lifecycle.log')} notice`]
    if (!/^\s*pid\s/m.test(config)) directives.push(`pid ${join(prefix, 'nginx.pid')}`)
    return ['-p', prefix, '-c', file, '-g', `${directives.join('; ')};`]
  }
  const check = async (config: string): Promise<void> => {
    await writeFile(next, privatePaths(config, prefix))
    await sandbox.execute(nginx, ['-t', '-q', ...parameters(next, config)]).catch((error: unknown) => {
      throw new Error(`nginx refuses the configuration: ${(error as { stderr?: string }).stderr ?? String(error)}`)
    })
    await writeFile(live, privatePaths(config, prefix))
  }

  await check(options.config)
  const lifecycle = lifecycleOf(prefix)
  const server = await sandbox.run('nginx', nginx, parameters(live, options.config))
  await until(server, 'nginx has started its workers', async () => (await lifecycle.count('start worker process ')) > 0)
  return {
    directory: prefix,
    async reload(config = options.config) {
      if (server.exited) throw new Error(`nginx is not running any more. ${await server.logTail()}`)
      await check(config)
      const workers = await lifecycle.count('start worker process ')
      server.signal('SIGHUP')
      await until(server, 'nginx has retired its old workers', async () => (await lifecycle.count('gracefully shutting down')) >= workers)
    },
    async close() {
      await server.end('SIGTERM')
      await sandbox.close()
    },
  }
}

/** nginx's own account of what it does. */
function lifecycleOf(prefix: string) {
  const file = join(prefix, 'lifecycle.log')
  return { count: async (text: string) => (await readFile(file, 'utf8').catch(() => '')).split(text).length - 1 }
}

function until(server: Running, awaited: string, condition: () => Promise<boolean>): Promise<true> {
  return waitUntil(
    awaited,
    startTimeoutMs,
    async () => {
      if (server.exited) throw new Error(`nginx ended before ${awaited.replace('nginx ', 'it ')}. ${await server.logTail()}`)
      return (await condition()) || undefined
    },
    () => server.logTail(),
  )
}

/** The paths Debian compiled in belong to the system's nginx; they are set to private ones where the configuration is silent. */
function privatePaths(config: string, prefix: string): string {
  const directives = temporaryPaths
    .filter((name) => !new RegExp(`\\b${name}_temp_path\\b`).test(config))
    .map((name) => `${name}_temp_path ${join(prefix, 'temporary', name)};`)
  if (!/\baccess_log\b/.test(config)) directives.push(`access_log ${join(prefix, 'logs', 'access.log')};`)
  return config.replace(/(^|[\s;}])http\s*\{/, (opening) => `${opening} ${directives.join(' ')}`)
}

async function nginxProgram(): Promise<string> {
  for (const directory of [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']) {
    const file = join(directory, 'nginx')
    const found = await access(file).then(
      () => true,
      () => false,
    )
    if (found) return file
  }
  throw new Error('These tests need nginx, which was not found on the PATH or in /usr/sbin. Run `npm test`, which installs it on Debian.')
}
