/**
 * Finds code of a simulated process that goes around the platform: real time, real chance and real sockets are not the seed's, so a run
 * that uses them cannot be repeated. They throw while a simulation runs, and the run fails with where they were used.
 */
import { createHook } from 'node:async_hooks'
import nodeCrypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import process from 'node:process'
import { currentLife } from './life.ts'

export interface Escape {
  readonly node: string
  /** Such as `Date.now()`. */
  readonly what: string
  readonly stack: string
}

interface Escaped {
  readonly what: string
  readonly instead: string
}

interface Replaced extends Escaped {
  readonly owner: object
  readonly name: string
}

/** Kinds of asynchronous resources that wait for something real, by the names that Node gives them. */
const ASYNCHRONOUS = new Map([
  ['Timeout', 'a timer of Node'],
  ['Immediate', 'setImmediate()'],
  ['FSREQCALLBACK', 'a file'],
  ['FSREQPROMISE', 'a file'],
  ['FILEHANDLE', 'a file'],
  ['TCPWRAP', 'a socket'],
  ['TCPCONNECTWRAP', 'a socket'],
  ['PIPEWRAP', 'a pipe'],
  ['GETADDRINFOREQWRAP', 'DNS'],
  ['QUERYWRAP', 'DNS'],
  ['PROCESSWRAP', 'another process'],
  ['ZLIB', 'compression'],
  ['PBKDF2REQUEST', 'WebCrypto or node:crypto in the background'],
  ['SCRYPTREQUEST', 'WebCrypto or node:crypto in the background'],
  ['HASHREQUEST', 'WebCrypto or node:crypto in the background'],
  ['SIGNREQUEST', 'WebCrypto or node:crypto in the background'],
  ['RANDOMBYTESREQUEST', 'randomBytes()'],
  ['WORKER', 'a worker thread'],
])

// What is watched must be named.
/* eslint-disable no-restricted-globals, no-restricted-properties */
const REPLACED: readonly Replaced[] = [
  { owner: Date, name: 'now', what: 'Date.now()', instead: 'clock.nowMs() of the context' },
  { owner: Math, name: 'random', what: 'Math.random()', instead: 'random.next() of the context' },
  { owner: globalThis, name: 'setTimeout', what: 'setTimeout()', instead: 'clock.setTimer() of the context' },
  { owner: globalThis, name: 'setInterval', what: 'setInterval()', instead: 'service.every(…)' },
  { owner: globalThis, name: 'fetch', what: 'fetch()', instead: 'a resource of the service, which the simulation gives it' },
  { owner: process, name: 'exit', what: 'process.exit()', instead: 'a thrown error' },
  { owner: performance, name: 'now', what: 'performance.now()', instead: 'clock.nowMs() of the context' },
  { owner: process, name: 'uptime', what: 'process.uptime()', instead: 'clock.nowMs() of the context' },
  { owner: process.hrtime, name: 'bigint', what: 'process.hrtime.bigint()', instead: 'clock.nowMs() of the context' },
  { owner: process, name: 'hrtime', what: 'process.hrtime()', instead: 'clock.nowMs() of the context' },
  { owner: nodeCrypto, name: 'randomUUID', what: 'randomUUID()', instead: 'id() of the context' },
  { owner: nodeCrypto, name: 'randomBytes', what: 'randomBytes()', instead: 'random of the context' },
  { owner: nodeCrypto, name: 'randomInt', what: 'randomInt()', instead: 'random.int() of the context' },
  { owner: Crypto.prototype, name: 'randomUUID', what: 'crypto.randomUUID()', instead: 'id() of the context' },
  { owner: Crypto.prototype, name: 'getRandomValues', what: 'crypto.getRandomValues()', instead: 'random of the context' },
]
/* eslint-enable no-restricted-globals, no-restricted-properties */

/** Thrown where the real thing would have been used. */
export class EscapeError extends Error {
  override readonly name = 'EscapeError'

  constructor({ what, instead }: Escaped) {
    super(`${what} was used in a simulation, where the seed does not decide what it gives: use ${instead}`)
  }
}

/** Watches until the returned function is called. Not for two simulations at the same time in one thread. */
export function watchForEscapes(onEscape: (escape: Escape) => void): () => void {
  const restore = REPLACED.map((replaced) => replace(replaced, onEscape))
  const RealDate = Date
  // Named imports of built-in modules see what has been put into them.
  syncBuiltinESMExports()
  const hook = createHook({
    // Promises are what everything is made of.
    trackPromises: false,
    init: (_, type) => {
      const what = ASYNCHRONOUS.get(type)
      if (what !== undefined) report({ what, instead: 'a resource of the service, which the simulation gives it' }, onEscape)
    },
  }).enable()
  globalThis.Date = new Proxy(RealDate, {
    apply(target, self, parameters) {
      refuse({ what: 'Date()', instead: 'clock.now() of the context' }, onEscape)
      return Reflect.apply(target, self, parameters) as string
    },
    construct(target, parameters, newTarget) {
      if (parameters.length === 0) refuse({ what: 'new Date()', instead: 'clock.now() of the context' }, onEscape)
      return Reflect.construct(target, parameters, newTarget === globalThis.Date ? target : newTarget) as object
    },
  })
  return () => {
    globalThis.Date = RealDate
    hook.disable()
    for (const undo of restore) undo()
    syncBuiltinESMExports()
  }
}

function replace(replaced: Replaced, onEscape: (escape: Escape) => void): () => void {
  const { owner, name } = replaced
  const real = Object.getOwnPropertyDescriptor(owner, name)
  const original = Reflect.get(owner, name) as (...parameters: unknown[]) => unknown
  const guarded = function (this: unknown, ...parameters: unknown[]): unknown {
    refuse(replaced, onEscape)
    return Reflect.apply(original, this, parameters)
  }
  // Such as `process.hrtime.bigint`.
  Object.assign(guarded, original)
  Object.defineProperty(owner, name, { value: guarded, configurable: true, writable: true, enumerable: real?.enumerable ?? true })
  return () => {
    if (real === undefined) Reflect.deleteProperty(owner, name)
    else Object.defineProperty(owner, name, real)
  }
}

/** PostgreSQL's own time and chance: none of them is the seed's. */
const IN_SQL =
  /\b(now\s*\(|current_timestamp|current_date|current_time\b|localtimestamp|clock_timestamp\s*\(|statement_timestamp\s*\(|transaction_timestamp\s*\(|random\s*\(|gen_random_uuid\s*\(|uuidv7\s*\()/i

/** Reports what a statement of a process uses of that, and throws. */
export function refuseEscapesInSql(sql: string, onEscape: (escape: Escape) => void): void {
  const found = IN_SQL.exec(sql)?.[1]
  if (found !== undefined) refuse({ what: `${found.replace(/\s*\($/, '()')} in SQL`, instead: 'a parameter' }, onEscape)
}

function refuse(escaped: Escaped, onEscape: (escape: Escape) => void): void {
  const error = report(escaped, onEscape)
  if (error !== undefined) throw error
}

function report(escaped: Escaped, onEscape: (escape: Escape) => void): EscapeError | undefined {
  const life = currentLife()
  if (life === undefined) return undefined
  const error = new EscapeError(escaped)
  onEscape({ node: life.node, what: escaped.what, stack: error.stack ?? '' })
  return error
}
