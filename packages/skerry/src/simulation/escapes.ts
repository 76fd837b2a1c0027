/**
 * Finds code of a simulated process that goes around the platform: real time, real chance and real sockets are not the seed's, so a run
 * that uses them cannot be repeated. They throw while a simulation runs, and the run fails with where they were used.
 */
import process from 'node:process'
import { currentLife } from './life.ts'

export interface Escape {
  readonly node: string
  /** Such as `Date.now()`. */
  readonly what: string
  readonly stack: string
}

interface Replaced {
  readonly owner: object
  readonly name: string
  readonly what: string
  readonly instead: string
}

// What is watched must be named.
/* eslint-disable no-restricted-globals */
const REPLACED: readonly Replaced[] = [
  { owner: Date, name: 'now', what: 'Date.now()', instead: 'clock.nowMs() of the context' },
  { owner: Math, name: 'random', what: 'Math.random()', instead: 'random.next() of the context' },
  { owner: globalThis, name: 'setTimeout', what: 'setTimeout()', instead: 'clock.setTimer() of the context' },
  { owner: globalThis, name: 'setInterval', what: 'setInterval()', instead: 'service.every(…)' },
  { owner: globalThis, name: 'fetch', what: 'fetch()', instead: 'a resource of the service, which the simulation gives it' },
  { owner: process, name: 'exit', what: 'process.exit()', instead: 'a thrown error' },
  { owner: performance, name: 'now', what: 'performance.now()', instead: 'clock.nowMs() of the context' },
  { owner: Crypto.prototype, name: 'randomUUID', what: 'crypto.randomUUID()', instead: 'id() of the context' },
  { owner: Crypto.prototype, name: 'getRandomValues', what: 'crypto.getRandomValues()', instead: 'random of the context' },
]
/* eslint-enable no-restricted-globals */

/** Thrown where the real thing would have been used. */
export class EscapeError extends Error {
  override readonly name = 'EscapeError'

  constructor({ what, instead }: Replaced) {
    super(`${what} was used in a simulation, where the seed does not decide what it gives: use ${instead}`)
  }
}

/** Watches until the returned function is called. Not for two simulations at the same time in one thread. */
export function watchForEscapes(onEscape: (escape: Escape) => void): () => void {
  const restore = REPLACED.map((replaced) => replace(replaced, onEscape))
  const RealDate = Date
  globalThis.Date = new Proxy(RealDate, {
    construct(target, parameters, newTarget) {
      if (parameters.length === 0)
        refuse({ owner: RealDate, name: 'Date', what: 'new Date()', instead: 'clock.now() of the context' }, onEscape)
      return Reflect.construct(target, parameters, newTarget === globalThis.Date ? target : newTarget) as object
    },
  })
  return () => {
    globalThis.Date = RealDate
    for (const undo of restore) undo()
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
  Object.defineProperty(owner, name, { value: guarded, configurable: true, writable: true, enumerable: real?.enumerable ?? true })
  return () => {
    if (real === undefined) Reflect.deleteProperty(owner, name)
    else Object.defineProperty(owner, name, real)
  }
}

function refuse(replaced: Replaced, onEscape: (escape: Escape) => void): void {
  const life = currentLife()
  if (life === undefined) return
  const error = new EscapeError(replaced)
  onEscape({ node: life.node, what: replaced.what, stack: error.stack ?? '' })
  throw error
}
