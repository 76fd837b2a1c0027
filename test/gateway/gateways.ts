/** The gateways under test, each in front of given addresses: the embedded one, and real nginx with the generated configuration. */
import { nginxConfiguration } from '@skerry/deploy'
import { createLog, GATEWAY, readConfiguration, select, startHost } from 'skerry/runtime'
import { freePort } from '../services/free-port.ts'
import type { NginxServer } from '../services/nginx.ts'
import { startNginx } from '../services/nginx.ts'
import { DnsServer } from './dns-server.ts'
import { fixtureSystem } from './fixture-system.ts'
import { noEngines } from './thing-instance.ts'

/** By service: `127.0.0.1:21234`. A service that no test of the file needs may be left out; nobody listens there then. */
export interface Addresses {
  readonly things?: string
  readonly foreign?: string
}

export interface GatewayUnderTest extends AsyncDisposable {
  readonly url: string
}

export interface GatewayKind {
  readonly name: string
  readonly isNginx: boolean
  start(addresses: Addresses): Promise<GatewayUnderTest>
}

/** Nobody listens there: ports below 1024 are not given out, and this one has no service. */
const NOWHERE = '127.0.0.1:1'

const embedded: GatewayKind = {
  name: 'the embedded gateway',
  isNginx: false,
  async start({ things = NOWHERE, foreign = NOWHERE }) {
    const selection = select(fixtureSystem, [GATEWAY])
    const environment = { PORT: '0', THINGS_URL: `http://${things}`, FOREIGN_URL: `http://${foreign}` }
    const configuration = await readConfiguration(fixtureSystem, selection, environment)
    const host = await startHost({
      system: fixtureSystem,
      selection,
      configuration,
      engines: noEngines,
      log: createLog({ level: 'silent' }),
    })
    return { url: host.gatewayUrl!, [Symbol.asyncDispose]: () => host.stop() }
  },
}

const nginx: GatewayKind = {
  name: 'nginx',
  isNginx: true,
  start: ({ things = NOWHERE, foreign = NOWHERE }) => startNginxGateway({ things: [things], foreign: [foreign] }),
}

const nginxByName: GatewayKind = {
  name: 'nginx with DNS names',
  isNginx: true,
  async start({ things = NOWHERE, foreign = NOWHERE }) {
    const dns = await DnsServer.start()
    const named = (service: string, address: string): string[] => {
      const [host = '', port = ''] = address.split(':')
      dns.names.set(`${service}.test`, [host])
      return [`${service}.test:${port}`]
    }
    const gateway = await startNginxGateway({ things: named('things', things), foreign: named('foreign', foreign) }, dns)
    return {
      url: gateway.url,
      async [Symbol.asyncDispose]() {
        await gateway[Symbol.asyncDispose]()
        await dns[Symbol.asyncDispose]()
      },
    }
  },
}

export const gatewayKinds: readonly GatewayKind[] = [embedded, nginx, nginxByName]

export type Upstreams = Readonly<Record<'things' | 'foreign', readonly string[]>>

export interface NginxGateway extends GatewayUnderTest {
  readonly server: NginxServer
  /** Where it logs requests. */
  readonly accessLog: string
  /** Serves other addresses from now on. */
  reload(upstreams: Upstreams): Promise<void>
}

export async function startNginxGateway(upstreams: Upstreams, dns?: DnsServer): Promise<NginxGateway> {
  const port = await freePort()
  const generate = (to: Upstreams) => {
    const files = nginxConfiguration(fixtureSystem, {
      upstreams: to,
      listen: `127.0.0.1:${port}`,
      ...(dns === undefined ? {} : { resolver: [dns.address], resolverValidMs: 1_000 }),
      pidFile: 'nginx.pid',
      temporaryDirectory: 'temporary',
      accessLog: 'logs/access.log',
      errorLog: 'logs/error.log',
    })
    return { config: files[0]!.content, files: Object.fromEntries(files.slice(1).map(({ path, content }) => [path, content])) }
  }
  const server = await startNginx(generate(upstreams))
  return {
    url: `http://127.0.0.1:${port}`,
    server,
    accessLog: `${server.directory}/logs/access.log`,
    reload: (to) => server.reload(generate(to).config),
    [Symbol.asyncDispose]: () => server.close(),
  }
}
