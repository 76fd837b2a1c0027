/**
 * The port to a registry: who serves a service, and where. Skerry asks it two things: to say all instances whenever they change, and, where it
 * takes registrations, to keep one as long as its host renews it. What is done while it cannot be reached is the platform's, the same for all.
 * `registryConformance` in `skerry/conformance` states what an engine must do.
 */

/** One instance of a service. */
export interface ServiceAddress {
  /** Unique, and another one after every start of the instance. */
  readonly id: string
  /** `http://10.0.0.7:8080` */
  readonly url: string
  /** Where it is, such as `eu-1a`; undefined when zones are not told apart. */
  readonly zone?: string | undefined
  /** The version of the contract that it serves. */
  readonly version?: string | undefined
}

export type RegistryStatus = { readonly up: true } | { readonly up: false; readonly reason: string }

export interface Watch {
  close(): Promise<void>
}

export interface Registration {
  /** Resolves when the registry holds it for the first time. */
  readonly held: Promise<void>
  /** Takes it back. Resolves when the registry has, or cannot be told and will notice by the end of the lease. Never rejects. */
  withdraw(): Promise<void>
}

export interface Registry {
  /** For messages, such as `etcd at 10.0.0.2:2379`. Never holds a password. */
  readonly description: string
  /**
   * Tells all instances of a service, at first and after each change. While the registry cannot be reached it tells nothing, and tries again
   * until it is closed.
   */
  watch(service: string, tell: (instances: readonly ServiceAddress[]) => void): Watch
  /** Undefined where others see to what is registered. A lease that was lost is taken again. */
  readonly register: ((service: string, instance: ServiceAddress) => Registration) | undefined
  status(): RegistryStatus
  /** Ends all watches, and all registrations without taking them back. */
  close(): Promise<void>
}

export interface RegistryOptions {
  /** Told of every change of `status()`. */
  readonly onStatus?: (status: RegistryStatus) => void
}

export interface RegistryEngine {
  readonly description: string
  /** Does not wait for the registry: one that is down at start is connected to when it comes up. Rejects only for what waiting cannot cure. */
  open(options: RegistryOptions): Promise<Registry>
}

/** An address as a registry holds it: JSON text. */
export function writeAddress({ id, url, zone, version }: ServiceAddress): string {
  return JSON.stringify({ id, url, zone, version })
}

/** What was written there, by whomever; undefined when it is no address. */
export function readAddress(text: string): ServiceAddress | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { id, url, zone, version } = value as Partial<Record<keyof ServiceAddress, unknown>>
  if (typeof id !== 'string' || id === '' || typeof url !== 'string' || !isHttpUrl(url)) return undefined
  return { id, url, zone: typeof zone === 'string' ? zone : undefined, version: typeof version === 'string' ? version : undefined }
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
}
