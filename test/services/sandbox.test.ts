import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { freePort } from './free-port.ts'
import { openSandbox } from './sandbox.ts'
import { waitUntil } from './wait-until.ts'

for (const signal of ['SIGTERM', 'SIGKILL'] as const)
  test(`nothing is left when the process that holds a sandbox ends by ${signal}`, async () => {
    const port = await freePort()
    const holder = spawn(process.execPath, ['--input-type=module-typescript', '--eval', holding(port)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void holder.kill('SIGKILL'))
    const [directory] = (await once(createInterface(holder.stdout), 'line')) as [string]
    await access(directory)
    await waitUntil('the program in the sandbox answers', 10_000, async () => (await answers(port)) || undefined)
    holder.kill(signal)
    await waitUntil('the program in the sandbox is gone', 10_000, async () => !(await answers(port)) || undefined)
    await waitUntil('the directory is gone', 10_000, async () => !(await exists(directory)) || undefined)
  })

test('a program that fails says with what, and its log can be read', async () => {
  const sandbox = await openSandbox('failing')
  try {
    await expect(sandbox.execute('/bin/sh', ['-c', 'echo the reason >&2; exit 3'])).rejects.toThrow('the reason')
    await expect(sandbox.run('missing', join(sandbox.directory, 'no-such-program'), [])).rejects.toThrow('ENOENT')
    const program = await sandbox.run('talker', '/bin/sh', ['-c', 'echo the last words; exit 1'])
    await waitUntil('it has ended', 10_000, async () => program.exited || undefined)
    expect(await program.logTail()).toContain('the last words')
  } finally {
    await sandbox.close()
  }
  expect(await exists(sandbox.directory)).toBe(false)
})

/** A process with a sandbox in which a program listens; it says where the sandbox is and goes on for ever. */
function holding(port: number): string {
  return `
    import { openSandbox } from ${JSON.stringify(new URL('./sandbox.ts', import.meta.url).href)}
    const sandbox = await openSandbox('held')
    await sandbox.run('listener', process.execPath, ['--eval', "require('node:net').createServer().listen(${port}, '127.0.0.1')"])
    console.log(sandbox.directory)
    setInterval(() => {}, 60_000)
  `
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
