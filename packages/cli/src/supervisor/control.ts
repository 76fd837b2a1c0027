/**
 * The way from `skerry ps`, `scale`, `restart` and `stop` to the supervisor that runs: JSON over HTTP on a socket in its data directory, which only
 * who may read that directory can reach.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, rm } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { createServer, request } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { CommandError, EXIT } from '../failure.ts'

/** What a command is answered; `failure` says what went wrong, for people. */
export interface Reply {
  readonly failure?: { readonly message: string; readonly help: string }
  readonly body?: unknown
}

export type Commands = Readonly<Record<string, (input: unknown) => Promise<unknown>>>

/** Paths of sockets are short by the kernel's will. */
const MAX_PATH_BYTES = 100
const MAX_BODY_BYTES = 65_536

/** `.skerry`, or what SKERRY_DATA says; a supervisor needs one also when no data is kept. */
export function supervisorDirectory(environment: NodeJS.ProcessEnv): string {
  const data = environment['SKERRY_DATA']
  return resolve(data === undefined || data === '' || data === 'memory' ? '.skerry' : data)
}

function socketPath(directory: string): string {
  const path = join(directory, 'supervisor.sock')
  if (Buffer.byteLength(path) <= MAX_PATH_BYTES) return path
  return join(tmpdir(), `skerry-${createHash('sha256').update(directory).digest('hex').slice(0, 16)}.sock`)
}

export interface Control {
  close(): Promise<void>
}

/** Listens for commands. Rejects when another supervisor does there. */
export async function listenForCommands(directory: string, commands: Commands): Promise<Control> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const path = socketPath(directory)
  if (await ask(directory, 'status', {}).catch(() => undefined))
    throw new CommandError(
      EXIT.failed,
      `A supervisor runs in ${dirname(path)} already.`,
      'See it with skerry ps, or stop it with skerry stop.',
    )
  // Whoever left it there is dead.
  await rm(path, { force: true })
  const server = createServer((message, response) => {
    void answer(commands, message).then((reply) =>
      response.writeHead(200, { 'content-type': 'application/json', connection: 'close' }).end(JSON.stringify(reply)),
    )
  })
  server.listen(path)
  await once(server, 'listening')
  return {
    async close() {
      server.close()
      await rm(path, { force: true })
    },
  }
}

async function answer(commands: Commands, message: IncomingMessage): Promise<Reply> {
  try {
    if (Number(message.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw new CommandError(EXIT.failed, 'Too long.', 'Say less.')
    const input: unknown = JSON.parse(await text(message))
    const name = message.url?.slice(1) ?? ''
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined
    if (command === undefined)
      throw new CommandError(EXIT.failed, `This supervisor knows no "${name}".`, 'Start it again with the version of this command.')
    return { body: await command(input) }
  } catch (error) {
    const help = error instanceof CommandError ? error.help : 'See the log of the supervisor.'
    return { failure: { message: error instanceof Error ? error.message : String(error), help } }
  }
}

/** Has the supervisor of that directory do something, however long that takes. Rejects when none runs. */
export async function ask(directory: string, command: string, input: unknown): Promise<unknown> {
  const asking = request({ socketPath: socketPath(directory), path: `/${command}`, method: 'POST', agent: false })
  asking.end(JSON.stringify(input))
  let reply: Reply
  try {
    const [message] = (await once(asking, 'response')) as [IncomingMessage]
    reply = JSON.parse(await text(message)) as Reply
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'ECONNREFUSED') throw error
    throw new CommandError(
      EXIT.failed,
      `No supervisor runs in ${directory}.`,
      'Start one with skerry start --each, in this folder and with the same SKERRY_DATA.',
    )
  }
  if (reply.failure !== undefined) throw new CommandError(EXIT.failed, reply.failure.message, reply.failure.help)
  return reply.body
}
