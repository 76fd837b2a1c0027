/**
 * A RabbitMQ broker of one's own: private data directory, private ports on 127.0.0.1 (its Erlang port mapper's too), no
 * plugins, gone when closed or when the test run dies. It can be stopped, killed and started with its queues kept.
 */
import { randomBytes } from 'node:crypto'
import { access, mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import { freePort } from './free-port.ts'
import type { Running, Sandbox } from './sandbox.ts'
import { openSandbox, unprivilegedOwner } from './sandbox.ts'
import { waitUntil } from './wait-until.ts'

export interface RabbitmqServer {
  /** Of an administrator, to the virtual host `/`. */
  readonly url: string
  /** Starts a stopped or killed broker on its old port and data; resolves when it speaks AMQP. */
  readonly start: () => Promise<void>
  /** Closes connections and shuts down cleanly. */
  readonly stop: () => Promise<void>
  /** kill -9. */
  readonly kill: () => Promise<void>
  /** Runs rabbitmqctl on it. */
  control(...parameters: readonly string[]): Promise<string>
  /** Kills the broker and deletes its data. */
  close(): Promise<void>
}

const startTimeoutMs = 120_000

export interface RabbitmqOptions {
  /** The administrator. Default: one with a password of its own. */
  readonly user?: { readonly name: string; readonly password: string }
}

export async function startRabbitmq(options: RabbitmqOptions = {}): Promise<RabbitmqServer> {
  const programs = await rabbitmqPrograms()
  const sandbox = await openSandbox('rabbitmq', await unprivilegedOwner('rabbitmq'))
  try {
    return await createServer(sandbox, programs, options)
  } catch (error) {
    await sandbox.close()
    throw error
  }
}

async function createServer(sandbox: Sandbox, programs: Programs, options: RabbitmqOptions): Promise<RabbitmqServer> {
  const port = await freePort()
  const user = options.user ?? { name: 'skerry', password: randomBytes(16).toString('hex') }
  const environment = await configure(sandbox, port, user)

  let portMapper: Running | undefined
  let server: Running | undefined
  const start = async (): Promise<void> => {
    if (server !== undefined && !server.exited) return
    // In the foreground and ours: otherwise Erlang starts one in the background that outlives the broker.
    if (portMapper === undefined || portMapper.exited)
      portMapper = await sandbox.run('epmd', programs.epmd, ['-port', environment.ERL_EPMD_PORT, '-address', '127.0.0.1'])
    const started = await sandbox.run('rabbitmq', programs.server, [], { environment })
    server = started
    await waitUntil(
      `RabbitMQ speaks AMQP on port ${port}`,
      startTimeoutMs,
      async () => {
        if (started.exited) throw new Error(`RabbitMQ did not start on port ${port}. ${await started.logTail()}`)
        return (await greets(port)) || undefined
      },
      () => started.logTail(),
    )
  }
  await start()
  return {
    url: `amqp://${user.name}:${user.password}@127.0.0.1:${port}`,
    start,
    stop: async () => server?.end('SIGTERM'),
    kill: async () => server?.end('SIGKILL'),
    control: (...parameters) => sandbox.execute(join(dirname(programs.server), 'rabbitmqctl'), parameters, { environment }),
    async close() {
      await server?.end('SIGKILL')
      await portMapper?.end('SIGKILL')
      await sandbox.close()
    },
  }
}

async function configure(sandbox: Sandbox, port: number, user: { name: string; password: string }) {
  const at = (name: string): string => join(sandbox.directory, name)
  await mkdir(at('empty'))
  await writeFile(at('enabled_plugins'), '[].\n')
  await writeFile(at('rabbitmq-env.conf'), '')
  await writeFile(
    at('rabbitmq.conf'),
    `
listeners.tcp.1 = 127.0.0.1:${port}
default_user = ${user.name}
default_pass = ${user.password}
default_user_tags.administrator = true
log.console = true
log.console.level = info
log.file = false
disk_free_limit.absolute = 64MB
`,
  )
  return {
    RABBITMQ_NODENAME: `skerry-${port}@localhost`,
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(await freePort()),
    ERL_EPMD_PORT: String(await freePort()),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_CONF_ENV_FILE: at('rabbitmq-env.conf'),
    RABBITMQ_CONFIG_FILE: at('rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: at('empty/advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: at('enabled_plugins'),
    RABBITMQ_MNESIA_BASE: at('mnesia'),
    RABBITMQ_LOG_BASE: at('log'),
    RABBITMQ_GENERATED_CONFIG_DIR: at('generated'),
    RABBITMQ_PID_FILE: at('rabbitmq.pid'),
    // Idle schedulers sleep at once: the machine is shared with the tests themselves.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none',
    // The start script then becomes the broker instead of staying its parent, so its process id is the broker's.
    RUNNING_UNDER_SYSTEMD: 'true',
  }
}

/** Whether an AMQP 0-9-1 greeting is answered with a method frame (Connection.Start) rather than a closed door. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    const end = (answered: boolean): void => {
      socket.destroy()
      resolve(answered)
    }
    socket.setTimeout(2_000, () => end(false))
    socket.once('connect', () => socket.write('AMQP\x00\x00\x09\x01'))
    socket.once('data', (bytes) => end(bytes[0] === 1))
    socket.once('error', () => end(false))
    socket.once('close', () => end(false))
  })
}

interface Programs {
  readonly server: string
  readonly epmd: string
}

/** Debian's script in /usr/sbin insists on the user rabbitmq and on /var/log, so the one behind it is preferred. */
async function rabbitmqPrograms(): Promise<Programs> {
  const path = (process.env['PATH'] ?? '').split(delimiter)
  const server = await firstOf(['/usr/lib/rabbitmq/bin', ...path], 'rabbitmq-server')
  const epmd = await firstOf([...path, '/usr/bin'], 'epmd')
  if (server !== undefined && epmd !== undefined) return { server, epmd }
  throw new Error(
    `These tests need RabbitMQ, and ${server === undefined ? 'rabbitmq-server' : 'epmd (of Erlang)'} was not found. ` +
      'Run `npm test`, which installs it on Debian, or name a broker in SKERRY_TEST_RABBITMQ_URL (an administrator).',
  )
}

async function firstOf(directories: readonly string[], program: string): Promise<string | undefined> {
  for (const directory of directories) {
    const file = join(directory, program)
    if (
      await access(file).then(
        () => true,
        () => false,
      )
    )
      return file
  }
  return undefined
}
