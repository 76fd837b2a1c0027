/**
 * For engines: a registry made of sessions. Each watch and each registration has one, which lasts until something breaks; then there is another
 * after a growing, jittered pause. An engine says what a session is, and everything else is the same for all.
 */
import type { Clock } from '../base/clock.ts'
import { systemClock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import { systemRandom } from '../base/random.ts'
import { keepConnected } from './keep-connected.ts'
import type { Registration, Registry, RegistryOptions, RegistryStatus, ServiceAddress, Watch } from './registry.ts'
import { within } from './within.ts'

/** What a user may say to every engine that connects to a registry. */
export interface RegistryConnectionOptions {
  /** How long a registration outlives a host that no longer renews it, in milliseconds. Default 15,000. */
  readonly leaseMs?: number
  /** The longest pause between two attempts to connect, in milliseconds. The first is a fiftieth of it; each is twice the last. Default 5,000. */
  readonly maxReconnectDelayMs?: number
  readonly clock?: Clock
  readonly random?: Random
}

export type RegistrySettings = Required<RegistryConnectionOptions>

/** What holds when nothing is said. */
export function registryDefaults(): RegistrySettings {
  return { leaseMs: 15_000, maxReconnectDelayMs: 5_000, clock: systemClock, random: systemRandom }
}

/** What an engine does. All of it goes on until it breaks, by throwing, or `signal` aborts. */
export interface RegistrySessions {
  readonly description: string
  /** Tells all instances of a service, at first and after each change. */
  readonly follow: (service: string, tell: (instances: readonly ServiceAddress[]) => void, signal: AbortSignal) => Promise<void>
  /** Undefined where others see to what is registered. */
  readonly registrations?:
    | {
        /** Registers the instance and keeps it so; calls `held` whenever the registry has said that it holds it. */
        readonly hold: (service: string, instance: ServiceAddress, held: () => void, signal: AbortSignal) => Promise<void>
        /** Takes it back, after `hold` has ended. */
        readonly withdraw: (service: string, instance: ServiceAddress, signal: AbortSignal) => Promise<void>
      }
    | undefined
}

/** How long a host that stops waits for a registry to take a registration back. */
const WITHDRAW_MS = 2_000

/** An open registry of these sessions. */
export function openRegistry(sessions: RegistrySessions, settings: RegistrySettings, { onStatus }: RegistryOptions): Registry {
  const { description, follow, registrations } = sessions
  const closed = new AbortController()
  const running = new Set<Promise<void>>()
  const health = new RegistryHealth(onStatus)

  /** Keeps sessions going until `ending` or the registry is closed. */
  const keep = (session: (up: () => void, signal: AbortSignal) => Promise<void>, ending: AbortController): Promise<void> => {
    const part = {}
    const signal = AbortSignal.any([closed.signal, ending.signal])
    const kept = keepConnected({
      ...settings,
      signal,
      onDown: (reason) => health.report(part, reason),
      session: async () => {
        try {
          await session(() => health.report(part, undefined), signal)
          return 'it ended the connection'
        } catch (error) {
          return reasonOf(error)
        }
      },
    }).finally(() => {
      health.forget(part)
      running.delete(kept)
    })
    running.add(kept)
    return kept
  }

  return {
    description,
    watch(service, tell): Watch {
      const ending = new AbortController()
      const kept = keep(
        (up, signal) =>
          follow(
            service,
            (instances) => {
              if (signal.aborted) return
              up()
              tell(instances)
            },
            signal,
          ),
        ending,
      )
      return {
        close() {
          ending.abort()
          return kept
        },
      }
    },
    register:
      registrations &&
      ((service, instance): Registration => {
        const ending = new AbortController()
        const first = Promise.withResolvers<void>()
        const kept = keep((up, signal) => {
          const held = (): void => {
            up()
            first.resolve()
          }
          return registrations.hold(service, instance, held, signal)
        }, ending)
        return {
          held: first.promise,
          async withdraw() {
            ending.abort()
            await kept
            if (closed.signal.aborted) return
            const late = new AbortController()
            const asked = registrations.withdraw(service, instance, AbortSignal.any([closed.signal, late.signal])).catch(() => undefined)
            if (!(await within(settings.clock, WITHDRAW_MS, asked))) late.abort()
          },
        }
      }),
    status: () => health.status,
    async close() {
      closed.abort()
      await Promise.all(running)
      health.close()
    },
  }
}

/** The registry is up when no session is down. */
class RegistryHealth {
  readonly #onStatus: ((status: RegistryStatus) => void) | undefined
  readonly #down = new Map<object, string>()
  #status: RegistryStatus = { up: true }
  #closed = false

  constructor(onStatus: ((status: RegistryStatus) => void) | undefined) {
    this.#onStatus = onStatus
  }

  get status(): RegistryStatus {
    return this.#status
  }

  report(part: object, problem: string | undefined): void {
    if (this.#closed) return
    if (problem === undefined) this.#down.delete(part)
    else this.#down.set(part, problem)
    const [reason] = this.#down.values()
    const was = this.#status.up
    this.#status = reason === undefined ? { up: true } : { up: false, reason }
    // The reason changes with every attempt; that is no news.
    if (was !== this.#status.up) this.#onStatus?.(this.#status)
  }

  forget(part: object): void {
    if (this.#down.has(part)) this.report(part, undefined)
  }

  close(): void {
    this.#closed = true
    this.#status = { up: false, reason: 'closed' }
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause, message } = error as NodeJS.ErrnoException
  return cause instanceof Error ? `${message}: ${cause.message}` : message
}
