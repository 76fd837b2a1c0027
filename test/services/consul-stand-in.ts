/**
 * What of a Consul agent a registry engine asks for (agent/service, agent/check, health/service, blocking
 * queries), a stand-in of ours: not the real thing. It has the hard parts: indexes that go backwards, queries that end early with nothing new,
 * checks that are forgotten, answers of 500.
 */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

interface Registered {
  readonly ID: string
  readonly Name: string
  readonly Address: string
  readonly Port: number
  readonly Meta: Readonly<Record<string, string>> | null
  readonly ttlMs: number
  passing: boolean
  timer: NodeJS.Timeout | undefined
}

export class ConsulStandIn implements AsyncDisposable {
  /** While true, everything is answered 500. */
  failing = false
  /** The headers of the last request. */
  lastHeaders: IncomingMessage['headers'] = {}
  /** How many blocking queries have been made. */
  queries = 0
  readonly #services = new Map<string, Registered>()
  readonly #waiting = new Set<() => void>()
  readonly #server = createServer((request, response) => {
    void this.#answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)))
  })
  #index = 10

  static async start(): Promise<ConsulStandIn> {
    const standIn = new ConsulStandIn()
    standIn.#server.listen(0, '127.0.0.1')
    await once(standIn.#server, 'listening')
    return standIn
  }

  get url(): string {
    return `consul://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** As after a restart without its data: nobody is registered, and counting begins anew. */
  forget(): void {
    for (const id of this.#services.keys()) this.#remove(id)
    this.#index = 3
    this.#wake()
  }

  /** Registers an instance as others do, without our metadata. */
  add(Name: string, ID: string, Address: string, Port: number): void {
    this.#services.set(ID, { ID, Name, Address, Port, Meta: null, ttlMs: Infinity, passing: true, timer: undefined })
    this.#changed()
  }

  /** Queries that wait are answered although nothing has changed, as Consul may. */
  answerEarly(): void {
    this.#wake()
  }

  /** Connections are cut. */
  cut(): void {
    this.#server.closeAllConnections()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { timer } of this.#services.values()) clearTimeout(timer)
    this.#server.close()
    this.#server.closeAllConnections()
    if (this.#server.listening) await once(this.#server, 'close')
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.lastHeaders = request.headers
    const { pathname, searchParams } = new URL(request.url!, 'http://agent')
    if (this.failing) return void response.writeHead(500).end('rpc error: No cluster leader')
    const [, , area, kind, verb, name = ''] = pathname.split('/').map(decodeURIComponent)
    if (request.method === 'GET' && `${area}/${kind}` === 'health/service') return this.#health(verb!, searchParams, response)
    if (request.method !== 'PUT' || area !== 'agent') return void response.writeHead(404).end()
    if (`${kind}/${verb}` === 'service/register') this.#register((await json(request)) as RegisterBody)
    else if (`${kind}/${verb}` === 'service/deregister') {
      if (!this.#services.has(name)) return void response.writeHead(404).end(`Unknown service ID "${name}"`)
      this.#remove(name)
      this.#changed()
    } else if (`${kind}/${verb}` === 'check/update') {
      const service = this.#services.get(name.replace(/^service:/, ''))
      if (service === undefined) return void response.writeHead(404).end(`Unknown check ID "${name}"`)
      this.#pass(service)
    }
    response.end()
  }

  async #health(name: string, query: URLSearchParams, response: ServerResponse): Promise<void> {
    this.queries++
    const index = Number(query.get('index'))
    const waitMs = Number(/^(\d+)ms$/.exec(query.get('wait') ?? '')?.[1] ?? 300_000)
    // Every write raises the index, whichever service it was about: so it may, and so a query may end with nothing new.
    if (index > 0 && index >= this.#index)
      await new Promise<void>((resolve) => {
        const end = (): void => {
          clearTimeout(timer)
          this.#waiting.delete(end)
          resolve()
        }
        const timer = setTimeout(end, waitMs)
        this.#waiting.add(end)
        response.once('close', end)
      })
    if (this.failing) return void response.writeHead(500).end('rpc error: No cluster leader')
    const entries = [...this.#services.values()]
      .filter((service) => service.Name === name && (service.passing || !query.has('passing')))
      .map(({ ID, Name, Address, Port, Meta }) => ({ Node: { Address: '10.9.9.9' }, Service: { ID, Service: Name, Address, Port, Meta } }))
    response.writeHead(200, { 'content-type': 'application/json', 'x-consul-index': String(this.#index) }).end(JSON.stringify(entries))
  }

  #register({ ID, Name, Address, Port, Meta, Check }: RegisterBody): void {
    this.#remove(ID)
    const ttlMs = Number(/^(\d+)ms$/.exec(Check.TTL)![1])
    const service: Registered = { ID, Name, Address, Port, Meta, ttlMs, passing: Check.Status === 'passing', timer: undefined }
    this.#services.set(ID, service)
    this.#pass(service)
    this.#changed()
  }

  #pass(service: Registered): void {
    clearTimeout(service.timer)
    service.timer = setTimeout(() => {
      service.passing = false
      this.#changed()
    }, service.ttlMs)
    if (!service.passing) {
      service.passing = true
      this.#changed()
    }
  }

  #remove(id: string): void {
    clearTimeout(this.#services.get(id)?.timer)
    this.#services.delete(id)
  }

  #changed(): void {
    this.#index++
    this.#wake()
  }

  #wake(): void {
    for (const end of this.#waiting) end()
  }
}

interface RegisterBody {
  readonly ID: string
  readonly Name: string
  readonly Address: string
  readonly Port: number
  readonly Meta: Readonly<Record<string, string>>
  readonly Check: { readonly TTL: string; readonly Status: string }
}
