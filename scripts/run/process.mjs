/** Child processes: one that takes our place (same terminal, signals and exit code) and one whose output is kept. */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { isatty } from 'node:tty'
import { fileURLToPath } from 'node:url'

/** The folder of the repository; every command runs there. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

const keptBytes = 200_000

/**
 * Runs a program in our place: it owns the terminal, gets the signals we get, and its end is ours.
 * @param {string} command
 * @param {readonly string[]} parameters
 * @param {NodeJS.ProcessEnv} [environment]
 * @returns {Promise<number>} its exit code, 128 + n when signal n ended it
 */
export function passThrough(command, parameters, environment = {}) {
  const child = spawn(command, parameters, { cwd: root, stdio: 'inherit', env: childEnvironment(command, environment) })
  // Ctrl-C reaches the child from the terminal itself; a second copy from us would look like a second Ctrl-C.
  const terminal = [0, 1, 2].some((descriptor) => isatty(descriptor))
  /** @type {Partial<Record<NodeJS.Signals, () => void>>} */
  const handlers = {
    SIGINT: () => (terminal ? undefined : void child.kill('SIGINT')),
    SIGTERM: () => void child.kill('SIGTERM'),
    SIGHUP: () => void child.kill('SIGHUP'),
  }
  const signals = /** @type {NodeJS.Signals[]} */ (Object.keys(handlers))
  for (const signal of signals) process.on(signal, /** @type {() => void} */ (handlers[signal]))
  const unwatch = onParentEnd(() => child.kill('SIGTERM'))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      unwatch()
      for (const name of signals) process.off(name, /** @type {() => void} */ (handlers[name]))
      resolve(exitCode(code, signal))
    })
  })
}

/**
 * `npm start` is npm, a shell and us. A signal to npm ends the shell, which tells nobody; all that can be seen of it from
 * here is that we have another parent.
 * @param {() => void} action runs once
 */
function onParentEnd(action) {
  if (process.env['npm_lifecycle_event'] === undefined) return () => {}
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    action()
  }, 200)
  return () => clearInterval(watch)
}

/**
 * Runs a program to its end, hands each line to `onLine` as it comes, and keeps the end of all it printed.
 * @param {string} command
 * @param {readonly string[]} parameters
 * @param {{ environment?: NodeJS.ProcessEnv, input?: string, onLine?: (line: string) => void }} [options]
 * @returns {Promise<{ code: number, output: string }>} code 127 when there is no such program
 */
export function capture(command, parameters, { environment = {}, input = '', onLine } = {}) {
  // Some tools take CI=true for a terminal with colours, whatever NO_COLOR says.
  const colours = process.stdout.isTTY ? {} : { NO_COLOR: '1', CI: undefined }
  const child = spawn(command, parameters, {
    cwd: root,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: childEnvironment(command, { ...colours, ...environment }),
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    let rest = ''
    stream.setEncoding('utf8')
    stream.on('data', (/** @type {string} */ text) => {
      output = (output + text).slice(-keptBytes)
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) onLine?.(line)
    })
    stream.on('end', () => {
      if (rest !== '') onLine?.(rest)
    })
  }
  // A program that ends before it has read its input closes the pipe; its exit code says what we need to know.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    child.once('error', (/** @type {NodeJS.ErrnoException} */ error) =>
      error.code === 'ENOENT' ? resolve({ code: 127, output: `${command}: not found` }) : reject(error),
    )
    child.once('close', (code, signal) => resolve({ code: exitCode(code, signal), output }))
  })
}

/**
 * A child that is a Node runs its own children with the same Node.
 * @param {string} command
 * @param {NodeJS.ProcessEnv} environment
 */
function childEnvironment(command, environment) {
  const directory = command.endsWith('/node') ? `${dirname(command)}${delimiter}` : ''
  return { ...process.env, PATH: `${directory}${process.env['PATH'] ?? ''}`, ...environment }
}

/**
 * @param {number | null} code
 * @param {NodeJS.Signals | null} signal
 */
function exitCode(code, signal) {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal])
}
