/** Starts the provider's sandbox as a process of its own, which ends with this one however this one ends. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface SandboxOptions {
  readonly webhookSecret: string
  readonly webhookUrl: string | undefined
  readonly bookFile: string | undefined
}

export interface SandboxProcess extends AsyncDisposable {
  readonly url: string
}

export async function startSandbox({ webhookSecret, webhookUrl = '', bookFile = '' }: SandboxOptions): Promise<SandboxProcess> {
  const main = fileURLToPath(import.meta.resolve('@shop/provider-sandbox/main'))
  const child = spawn(process.execPath, [main], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      PORT: '0',
      WEBHOOK_SECRET: webhookSecret,
      WEBHOOK_URL: webhookUrl,
      BOOK_FILE: bookFile,
      EXIT_WITH_PARENT: '1',
    },
  })
  // Its standard input is closed when this process is gone; a write to it is never made.
  child.stdin.on('error', () => {})
  const exited = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })
  const first = once(lines, 'line').then(([line]) => line as string)
  const ended = exited.then(([code]) => {
    throw new Error(`The payment provider's sandbox ended before it had started, with code ${String(code)}`)
  })
  ended.catch(() => {})
  const { url } = JSON.parse(await Promise.race([first, ended])) as { url: string }
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      await exited
    },
  }
}
