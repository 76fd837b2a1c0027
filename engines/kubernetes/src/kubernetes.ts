/**
 * The registry port on Kubernetes: the EndpointSlices of the Service that has the name of the contract, listed and then watched. Kubernetes itself
 * sees to what is in them, by the readiness of pods: nothing registers here. The service account needs `list` and `watch` of `endpointslices`.
 */
import type { Clock, RegistryConnectionOptions, RegistryEngine, RegistrySettings, ServiceAddress } from 'skerry/engine'
import { openRegistry, registryDefaults, sleep } from 'skerry/engine'
import type { Access } from './access.ts'
import { accessTo } from './access.ts'
import type { EndpointSlice } from './endpoint-slices.ts'
import { instancesIn } from './endpoint-slices.ts'

export interface KubernetesOptions extends Omit<RegistryConnectionOptions, 'leaseMs'> {
  /** `kubernetes://` in a pod, `kubernetes://127.0.0.1:8001` through `kubectl proxy`; `?namespace=` for another one than the pod's own. */
  readonly url: string
  /** Default: where Kubernetes puts it. */
  readonly serviceAccountFolder?: string
  /** How long a watch lasts before there is a new one, in seconds. Default 300. */
  readonly watchSeconds?: number
  readonly environment?: Readonly<Record<string, string | undefined>>
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'
const WATCH_SECONDS = 300
/** What is listed at a time; the rest is asked for with what the answer says. */
const PAGE = 500
const GONE = 410
const PAUSE_MS = 50

/** Kubernetes as a registry engine. Throws a `TypeError` when the URL cannot be one. */
export function kubernetes(options: KubernetesOptions): RegistryEngine {
  const {
    url: text,
    watchSeconds = WATCH_SECONDS,
    serviceAccountFolder = SERVICE_ACCOUNT,
    environment = process.env,
    ...connection
  } = options
  const settings: RegistrySettings = { ...registryDefaults(), ...connection }
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || url.protocol !== 'kubernetes:')
    throw new TypeError('The URL of Kubernetes is kubernetes:// in a pod, or kubernetes://127.0.0.1:8001 through kubectl proxy')
  const description = url.host === '' ? 'Kubernetes' : `Kubernetes through ${url.host}`
  return {
    description,
    async open(registryOptions) {
      let access: Promise<Access> | undefined
      const reach = (): Promise<Access> =>
        (access ??= accessTo({ url, serviceAccountFolder, environment }).catch((error: unknown) => {
          access = undefined
          throw error
        }))
      const registry = openRegistry(
        {
          description,
          follow: async (service, tell, signal) => new Follower(await reach(), service, watchSeconds, settings.clock, signal).run(tell),
        },
        settings,
        registryOptions,
      )
      return {
        ...registry,
        async close() {
          await registry.close()
          await (await access?.catch(() => undefined))?.api[Symbol.asyncDispose]()
        },
      }
    },
  }
}

interface SliceList {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string }
  readonly items?: readonly EndpointSlice[]
}

interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: EndpointSlice & { readonly code?: number; readonly message?: string }
}

/** One service, from one list to the end of the watches after it. */
class Follower {
  readonly #access: Access
  readonly #service: string
  readonly #watchSeconds: number
  readonly #clock: Clock
  readonly #signal: AbortSignal
  readonly #slices = new Map<string, EndpointSlice>()
  #version = ''

  constructor(access: Access, service: string, watchSeconds: number, clock: Clock, signal: AbortSignal) {
    this.#access = access
    this.#service = service
    this.#watchSeconds = watchSeconds
    this.#clock = clock
    this.#signal = signal
  }

  async run(tell: (instances: readonly ServiceAddress[]) => void): Promise<void> {
    const signal = this.#signal
    let told: string | undefined
    const tellAll = (): void => {
      const instances = instancesIn(this.#slices.values())
      const text = JSON.stringify(instances)
      if (text !== told) tell(instances)
      told = text
    }
    while (!signal.aborted) {
      await this.#list()
      tellAll()
      let gone = false
      // A watch that ends goes on where it was; only a version that is gone needs a new list.
      while (!signal.aborted && !gone) {
        gone = !(await this.#watch(tellAll))
        // A server that ends every watch at once must not be asked without end.
        await sleep(this.#clock, PAUSE_MS, signal)
      }
    }
  }

  async #list(): Promise<void> {
    this.#slices.clear()
    let rest: string | undefined
    do {
      const { body } = await this.#access.api.ask({
        path: this.#path({ limit: String(PAGE), ...(rest === undefined ? {} : { continue: rest }) }),
        signal: this.#signal,
      })
      const { metadata, items } = body as SliceList
      for (const slice of items ?? []) this.#slices.set(slice.metadata.name, slice)
      this.#version = metadata?.resourceVersion ?? ''
      rest = metadata?.continue === '' ? undefined : metadata?.continue
    } while (rest !== undefined)
  }

  /** False when the server no longer knows what was before. */
  async #watch(onChange: () => void): Promise<boolean> {
    const parameters = {
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: this.#version,
      timeoutSeconds: String(this.#watchSeconds),
    }
    try {
      // A server that is there says something, a bookmark at least, or ends the watch; one that is not is given up.
      const timeoutMs = (this.#watchSeconds + 30) * 1_000
      for await (const line of this.#access.api.lines({ path: this.#path(parameters), signal: this.#signal, timeoutMs })) {
        const { type, object } = line as WatchEvent
        if (type === 'ERROR') {
          if (object.code === GONE) return false
          throw new Error(object.message ?? `the watch ended with code ${object.code}`)
        }
        this.#version = object.metadata.resourceVersion ?? this.#version
        if (type === 'BOOKMARK') continue
        if (type === 'DELETED') this.#slices.delete(object.metadata.name)
        else this.#slices.set(object.metadata.name, object)
        onChange()
      }
      return true
    } catch (error) {
      if (statusOf(error) === GONE) return false
      throw error
    }
  }

  #path(parameters: Readonly<Record<string, string>>): string {
    const query = new URLSearchParams({ labelSelector: `kubernetes.io/service-name=${this.#service}`, ...parameters })
    return `/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(this.#access.namespace)}/endpointslices?${query.toString()}`
  }
}

function statusOf(error: unknown): unknown {
  return error instanceof Error && 'status' in error ? error.status : undefined
}
