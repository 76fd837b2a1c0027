/** A candidate in a process of its own: a TypeScript file that prints one JSON line when it is ready or done. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface Child<Ready> extends AsyncDisposable {
  readonly ready: Ready
  readonly process: ChildProcess
  /** Kilobytes in memory now. */
  residentKilobytes(): Promise<number>
}

export async function startChild<Ready>(
  file: URL,
  options: { readonly args?: readonly string[]; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Child<Ready>> {
  const child = spawn(process.execPath, [fileURLToPath(file), ...(options.args ?? [])], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...options.env },
  })
  const ready = await new Promise<Ready>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{') && !line.includes('"level"')) resolve(JSON.parse(line) as Ready)
    })
    child.once('exit', (code) => reject(new Error(`${file.pathname} ended with ${String(code)} before it was ready`)))
  })
  return {
    ready,
    process: child,
    async residentKilobytes() {
      const status = await readFile(`/proc/${String(child.pid)}/status`, 'utf8')
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN)
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    },
  }
}
