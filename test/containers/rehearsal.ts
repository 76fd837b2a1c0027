/**
 * A Compose file rehearsed without Docker: the same topology as processes of this machine, started in the order and with
 * the environment variables that the file gives, from what the Dockerfiles build. Only addresses differ: a container's
 * name and port become a port of 127.0.0.1, in variables and in nginx's configuration alike. Images that others make
 * (PostgreSQL, RabbitMQ, nginx) are played by the real programs of this machine.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { DnsServer } from '../gateway/dns-server.ts'
import { freePort } from '../services/free-port.ts'
import { startNginx } from '../services/nginx.ts'
import { startPostgres } from '../services/postgres.ts'
import { startRabbitmq } from '../services/rabbitmq.ts'
import type { Exit, Running, Sandbox } from '../services/sandbox.ts'
import { openSandbox, unprivilegedOwner } from '../services/sandbox.ts'
import { waitUntil } from '../services/wait-until.ts'
import type { Compose, ComposeService } from './compose-file.ts'
import { canReach, readCompose, requiredVariables } from './compose-file.ts'
import type { DockerImage } from './dockerfile.ts'
import { readDockerfile } from './dockerfile.ts'
import { buildImage } from './image.ts'

export interface Rehearsal extends AsyncDisposable {
  readonly gatewayUrl: string
  readonly serviceUrls: Readonly<Record<string, string>>
  /** The folder in which the services run. */
  readonly app: string
  /** Stops a service as `docker compose stop` would. */
  stop(service: string): Promise<Exit>
}

const healthyWithinMs = 120_000
const CONTAINER_PORT = /:8080\b/

/** `folder` has the Compose file; `root` is the repository, for which the Dockerfiles are written. */
export async function rehearse(root: string, folder: string): Promise<Rehearsal> {
  const held = new AsyncDisposableStack()
  try {
    return await new Stage(held, root, folder).start()
  } catch (error) {
    await held.disposeAsync()
    throw error
  }
}

class Stage {
  readonly #held: AsyncDisposableStack
  readonly #root: string
  readonly #folder: string
  /** Where a container's name and port are on this machine. */
  readonly #addresses = new Map<string, string>()
  readonly #processes = new Map<string, { readonly running: Running; readonly image: DockerImage }>()
  #compose: Compose = { services: {} }
  #app = ''
  /** Runs the services: somebody who may not write where they are. */
  #sandbox!: Sandbox

  constructor(held: AsyncDisposableStack, root: string, folder: string) {
    this.#held = held
    this.#root = root
    this.#folder = folder
  }

  async start(): Promise<Rehearsal> {
    const example = await this.#read(`${this.#folder}/.env.example`)
    const variables = requiredVariables(example, (name) => `secret0of0${name.replaceAll('_', '0')}`)
    this.#compose = readCompose(await this.#read(`${this.#folder}/docker-compose.yml`), variables)
    // Services may know each other's addresses before they have started.
    for (const [name, { build }] of Object.entries(this.#compose.services))
      if (build !== undefined) this.#addresses.set(`${name}:8080`, `127.0.0.1:${await freePort()}`)
    this.#sandbox = this.#keep(await openSandbox('containers', await unprivilegedOwner('nobody')))
    this.#app = await this.#buildApp()
    // Each starts as soon as all that it waits for is healthy.
    const starting = new Map<string, Promise<void>>()
    const begin = (name: string): Promise<void> => {
      let started = starting.get(name)
      if (started === undefined) {
        const service = this.#compose.services[name]
        if (service === undefined) throw new Error(`The Compose file waits for "${name}", which it does not have`)
        started = Promise.all(Object.keys(service.depends_on ?? {}).map(begin)).then(() => this.#startService(name, service))
        starting.set(name, started)
      }
      return started
    }
    const results = await Promise.allSettled(Object.keys(this.#compose.services).map(begin))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    const services = [...this.#processes.keys()]
    return {
      gatewayUrl: `http://${this.#addresses.get('gateway:8080')}`,
      serviceUrls: Object.fromEntries(services.map((name) => [name, `http://${this.#addresses.get(`${name}:8080`)}`])),
      app: this.#app,
      stop: (name) => this.#stop(name),
      [Symbol.asyncDispose]: () => this.#held.disposeAsync(),
    }
  }

  async #startService(name: string, service: ComposeService): Promise<void> {
    if (service.image?.startsWith('postgres:') === true) return this.#startDatabase(name, service)
    if (service.image?.startsWith('rabbitmq:') === true) return this.#startBroker(name, service)
    if (service.build?.dockerfile !== undefined) return this.#startHost(name, service)
    return this.#startGateway(name)
  }

  /** What the image of PostgreSQL does with its variables at the first start, and the health check as the file has it. */
  async #startDatabase(name: string, { environment, healthcheck }: ComposeService): Promise<void> {
    const server = await startPostgres({ fsync: false })
    this.#held.defer(() => server.close())
    const { POSTGRES_USER: user, POSTGRES_PASSWORD: password, POSTGRES_DB: database } = environment as Record<string, string>
    const client = new pg.Client({ connectionString: server.url })
    await client.connect()
    await client.query(`create role ${client.escapeIdentifier(user!)} superuser login password ${client.escapeLiteral(password!)}`)
    await client.query(`create database ${client.escapeIdentifier(database!)} owner ${client.escapeIdentifier(user!)}`)
    await client.end()
    const { port, host } = new URL(server.url)
    this.#addresses.set(`${name}:5432`, host)
    const [kind, program, ...parameters] = healthcheck?.test ?? []
    if (kind !== 'CMD' || program !== 'pg_isready') throw new Error(`${name} has no health check that can be rehearsed`)
    await this.#sandbox.execute(program, parameters, { environment: { PGPORT: port } })
  }

  async #startBroker(name: string, { environment }: ComposeService): Promise<void> {
    const { RABBITMQ_DEFAULT_USER: user, RABBITMQ_DEFAULT_PASS: password } = environment as Record<string, string>
    const server = await startRabbitmq({ user: { name: user!, password: password! } })
    this.#held.defer(() => server.close())
    this.#addresses.set(`${name}:5672`, new URL(server.url).host)
  }

  async #startHost(name: string, service: ComposeService): Promise<void> {
    const image = await this.#imageOf(service)
    const port = this.#portOf(name)
    const environment = { ...image.env, ...service.environment, PORT: port, HOST: '127.0.0.1' }
    const mapped = Object.fromEntries(Object.entries(environment).map(([variable, value]) => [variable, this.#mapped(name, value)]))
    const [program, ...parameters] = image.command
    const running = await this.#sandbox.run(name, this.#program(program), parameters, { directory: this.#app, environment: mapped })
    this.#processes.set(name, { running, image })
    await waitUntil(
      `${name} is healthy`,
      healthyWithinMs,
      async () => {
        if (running.exited) throw new Error(`${name} ended before it was healthy. ${await running.logTail()}`)
        const [check, ...checked] = image.healthcheck
        return this.#sandbox.execute(this.#program(check), checked, { environment: mapped }).then(
          () => true,
          () => undefined,
        )
      },
      () => running.logTail(),
    )
  }

  /** nginx with the files of its image, told of other addresses. Its DNS server knows the containers' names, as Docker's does. */
  async #startGateway(name: string): Promise<void> {
    const dns = this.#keep(await DnsServer.start())
    const port = this.#portOf(name)
    const read = (file: string): Promise<string> => this.#read(`${this.#folder}/${name}/${file}`)
    let config = await read('nginx.conf')
    for (const peer of Object.keys(this.#compose.services)) {
      // As with Docker's, a name is known to those who share a network with it.
      if (canReach(this.#compose, name, peer)) dns.names.set(peer, ['127.0.0.1'])
      config = config.replaceAll(`//${peer}:8080`, () => `//${peer}:${this.#portOf(peer)}`)
    }
    const changes: [string, string][] = [
      ['resolver 127.0.0.11 ', `resolver ${dns.address} `],
      ['listen 8080;', `listen 127.0.0.1:${port};`],
      ['pid "/tmp/nginx.pid";', 'pid nginx.pid;'],
      ['access_log "/dev/stdout" ', 'access_log logs/access.log '],
    ]
    for (const [from, to] of changes) {
      if (config.split(from).length !== 2) throw new Error(`nginx.conf should have "${from}" once`)
      config = config.replace(from, to)
    }
    config = config.replaceAll('"/tmp/nginx-', '"temporary/nginx-')
    if (CONTAINER_PORT.test(config)) throw new Error('nginx.conf still names a port of a container')
    const nginx = await startNginx({ config, files: { 'openapi.json': await read('openapi.json') } })
    this.#held.defer(() => nginx.close())
  }

  /** The images of all services are built in the same way, so that one stands for all of them; only what they start differs. */
  async #buildApp(): Promise<string> {
    const built = Object.values(this.#compose.services).filter(({ build }) => build?.dockerfile !== undefined)
    const images = await Promise.all(built.map((service) => this.#imageOf(service)))
    const [first] = images
    if (first === undefined) throw new Error('The Compose file builds no service')
    for (const { stages } of images)
      if (JSON.stringify(stages) !== JSON.stringify(first.stages))
        throw new Error('The images of the services differ in how they are built')
    const { context, dockerfile } = built[0]!.build!
    if (join(this.#folder, context) !== '.') throw new Error(`The build context is ${context}, which is not the root of the repository`)
    const sandbox = this.#keep(await openSandbox('image'))
    return buildImage({ image: first, context: this.#root, dockerignore: await this.#read(`${dockerfile}.dockerignore`), sandbox })
  }

  async #imageOf({ build }: ComposeService): Promise<DockerImage> {
    return readDockerfile(await this.#read(join(this.#folder, build!.context, build!.dockerfile!)))
  }

  async #stop(name: string): Promise<Exit> {
    const { running, image } = this.#processes.get(name)!
    await running.end(image.stopSignal)
    return running.exit
  }

  #portOf(name: string): string {
    const address = this.#addresses.get(`${name}:8080`)
    if (address === undefined) throw new Error(`"${name}" has no port`)
    return address.slice(address.indexOf(':') + 1)
  }

  /** A value with each container's address in it replaced; the two must be able to reach one another. */
  #mapped(name: string, value: string): string {
    return value.replaceAll(/(?<=[/@])([a-z][a-z0-9-]*):(\d+)/g, (address, peer: string) => {
      const mapped = this.#addresses.get(address)
      if (mapped === undefined) throw new Error(`${name} is told of ${address}, which nobody is`)
      if (!canReach(this.#compose, name, peer)) throw new Error(`${name} cannot reach ${peer}: they have no network in common`)
      return mapped
    })
  }

  #program(name: string | undefined): string {
    return name === 'node' ? process.execPath : (name ?? '')
  }

  #read(path: string): Promise<string> {
    return readFile(join(this.#root, path), 'utf8')
  }

  #keep<T extends AsyncDisposable | { close(): Promise<void> }>(resource: T): T {
    this.#held.defer(async () => {
      if (Symbol.asyncDispose in resource) await resource[Symbol.asyncDispose]()
      else await resource.close()
    })
    return resource
  }
}
