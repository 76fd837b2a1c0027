/**
 * What of a Kubernetes API server a registry engine asks for (EndpointSlice v1, efficient detection of changes), a stand-in of ours: not
 * the real thing. It has the hard parts: lists in pages, watches that end, bookmarks, versions that are gone (410, as an
 * answer and as an event), tokens that change, answers of 500.
 */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createHttp } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo } from 'node:net'

export interface Slice {
  readonly addressType?: string
  readonly endpoints: readonly object[] | null
  readonly ports: readonly object[] | null
}

interface StoredSlice extends Slice {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly labels: object; readonly resourceVersion: string }
}

interface Event {
  readonly version: number
  readonly type: string
  readonly object: StoredSlice
}

interface Watcher {
  readonly namespace: string
  readonly service: string
  readonly response: ServerResponse
}

export class KubernetesStandIn implements AsyncDisposable {
  /** While true, everything is answered 500. */
  failing = false
  /** Of what is needed to get in; undefined lets everybody in. */
  token: string | undefined
  pageSize = 2
  lists = 0
  watches = 0
  readonly #slices = new Map<string, StoredSlice>()
  readonly #events: Event[] = []
  readonly #watchers = new Set<Watcher>()
  readonly #server
  #version = 100
  /** What was before is forgotten. */
  #oldest = 0

  private constructor(tls?: { readonly key: string; readonly cert: string }) {
    const answer = (request: IncomingMessage, response: ServerResponse): void => this.#answer(request, response)
    this.#server = tls === undefined ? createHttp(answer) : createHttps(tls, answer)
  }

  static async start(tls?: { readonly key: string; readonly cert: string }): Promise<KubernetesStandIn> {
    const standIn = new KubernetesStandIn(tls)
    standIn.#server.listen(0, '127.0.0.1')
    await once(standIn.#server, 'listening')
    return standIn
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Writes a slice of a service. */
  put(namespace: string, service: string, name: string, slice: Slice): void {
    const key = `${namespace}/${name}`
    const type = this.#slices.has(key) ? 'MODIFIED' : 'ADDED'
    this.#store(key, type, namespace, service, name, slice)
  }

  remove(namespace: string, service: string, name: string): void {
    const key = `${namespace}/${name}`
    const before = this.#slices.get(key)!
    this.#store(key, 'DELETED', namespace, service, name, before)
    this.#slices.delete(key)
  }

  /** Compaction: watches from before are answered that their version is gone. */
  compact(): void {
    this.#oldest = this.#version
  }

  /** Tells those who watch how far things are, as after much that was not for them. */
  bookmark(): void {
    this.#version += 1_000
    for (const { response } of this.#watchers)
      write(response, { type: 'BOOKMARK', object: { kind: 'EndpointSlice', metadata: { resourceVersion: String(this.#version) } } })
  }

  /** All watches end, as they do every few minutes. */
  endWatches(): void {
    for (const { response } of this.#watchers) response.end()
    this.#watchers.clear()
  }

  /** All watches are told, in the middle, that their version is gone. */
  expireWatches(): void {
    for (const { response } of this.#watchers) {
      write(response, { type: 'ERROR', object: gone() })
      response.end()
    }
    this.#watchers.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  #store(key: string, type: string, namespace: string, service: string, name: string, slice: Slice): void {
    const version = ++this.#version
    const metadata = { name, namespace, labels: { 'kubernetes.io/service-name': service }, resourceVersion: String(version) }
    const object: StoredSlice = { addressType: slice.addressType ?? 'IPv4', endpoints: slice.endpoints, ports: slice.ports, metadata }
    this.#slices.set(key, object)
    this.#events.push({ version, type, object })
    for (const watcher of this.#watchers) if (isFor(watcher, object)) write(watcher.response, { type, object })
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url!, 'http://server')
    if (this.token !== undefined && request.headers.authorization !== `Bearer ${this.token}`)
      return respond(response, 401, status(401, 'Unauthorized'))
    if (this.failing) return respond(response, 500, status(500, 'etcdserver: leader changed'))
    const namespace = /^\/apis\/discovery\.k8s\.io\/v1\/namespaces\/([^/]+)\/endpointslices$/.exec(pathname)?.[1]
    const service = /^kubernetes\.io\/service-name=(.+)$/.exec(searchParams.get('labelSelector') ?? '')?.[1]
    if (namespace === undefined || service === undefined) return respond(response, 404, status(404, 'not found'))
    if (searchParams.get('watch') === '1') this.#watch({ namespace, service, response }, Number(searchParams.get('resourceVersion')))
    else this.#list(namespace, service, Number(searchParams.get('continue') ?? 0), response)
  }

  #list(namespace: string, service: string, from: number, response: ServerResponse): void {
    this.lists++
    const all = [...this.#slices.values()].filter((object) => isFor({ namespace, service }, object))
    const to = from + this.pageSize
    const more = to < all.length ? { continue: String(to) } : {}
    respond(response, 200, { metadata: { resourceVersion: String(this.#version), ...more }, items: all.slice(from, to) })
  }

  #watch(watcher: Watcher, version: number): void {
    this.watches++
    const { response } = watcher
    if (version < this.#oldest) return respond(response, 410, gone())
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    for (const { version: later, type, object } of this.#events)
      if (later > version && isFor(watcher, object)) write(response, { type, object })
    this.#watchers.add(watcher)
    response.once('close', () => this.#watchers.delete(watcher))
  }
}

function isFor({ namespace, service }: Omit<Watcher, 'response'>, { metadata }: StoredSlice): boolean {
  return metadata.namespace === namespace && (metadata.labels as Record<string, string>)['kubernetes.io/service-name'] === service
}

function gone(): object {
  return status(410, 'too old resource version')
}

function status(code: number, message: string): object {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, message }
}

function respond(response: ServerResponse, code: number, body: object): void {
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/** In two pieces, as a network may deliver it. */
function write(response: ServerResponse, event: object): void {
  const text = `${JSON.stringify(event)}\n`
  response.write(text.slice(0, 10))
  response.write(text.slice(10))
}
