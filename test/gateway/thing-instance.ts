/** An instance of the service `things`, listening for peers as it would in production; it can go away and come back at its address. */
import type { Host } from 'skerry/runtime'
import { createLog, readConfiguration, select, startHost } from 'skerry/runtime'
import { freePort } from '../services/free-port.ts'
import { fixtureSystem } from './fixture-system.ts'

export class ThingInstance implements AsyncDisposable {
  readonly name: string
  /** `127.0.0.1:21234` */
  readonly address: string
  #host: Host | undefined

  private constructor(name: string, address: string) {
    this.name = name
    this.address = address
  }

  static async start(name = 'one', at: { host?: string; port?: number } = {}): Promise<ThingInstance> {
    const instance = new ThingInstance(name, `${at.host ?? '127.0.0.1'}:${at.port ?? (await freePort())}`)
    await instance.start()
    return instance
  }

  async start(): Promise<void> {
    const [HOST, PORT] = this.address.split(':')
    const selection = select(fixtureSystem, ['things'])
    const configuration = await readConfiguration(fixtureSystem, selection, { HOST, PORT, INSTANCE: this.name })
    this.#host = await startHost({
      system: fixtureSystem,
      selection,
      configuration,
      engines: noEngines,
      log: createLog({ level: 'silent' }),
    })
  }

  /** As on SIGTERM. */
  async stop(): Promise<void> {
    await this.#host?.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

const needed = (): never => {
  throw new Error('The fixture system needs no engine')
}

export const noEngines = { database: needed, broker: needed }
