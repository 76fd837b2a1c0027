/** What the Compose file starts is tested by starting it, in test/containers. Here: that Compose can read it, and what it must never contain. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { DCLinter } from 'dclint'
import { contract, event, gateway, get, service, system } from 'skerry'
import type { System } from 'skerry'
import { expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { fixtureShop } from '../fixtures/shop.ts'
import type { ComposeOptions } from './compose-file.ts'
import { composeFile, composeVariables } from './compose-file.ts'

interface Parsed {
  readonly name: string
  readonly services: Readonly<
    Record<
      string,
      {
        environment?: Record<string, string>
        networks?: string[]
        build?: { context: string; dockerfile?: string }
        ports?: string[]
        depends_on?: object
        image?: string
      }
    >
  >
  readonly networks: Readonly<Record<string, { internal?: boolean }>>
  readonly volumes: Readonly<Record<string, object>>
}

function composed(of: System = fixtureShop, options: ComposeOptions = {}): Parsed {
  return parse(composeFile(of, options)) as Parsed
}

const nothing = async (): Promise<void> => {}
const alone = system('alone', {
  services: [service(contract('alone', { version: '1.0.0', operations: { find: get('/') } })).implement({ find: nothing })],
})
const variants: [string, System, ComposeOptions][] = [
  ['nginx', fixtureShop, { folder: 'examples/shop' }],
  ['the embedded gateway', fixtureShop, { gateway: 'embedded' }],
  ['neither gateway, database nor broker', alone, {}],
]

async function writeComposeFile(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'skerry-compose-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'docker-compose.yml'), text)
  return join(folder, 'docker-compose.yml')
}

interface LintResult {
  readonly messages: readonly { readonly rule: string; readonly message: string }[]
}

/** The Compose specification's schema and the linter's rules, but for those of taste. */
async function lint(text: string): Promise<unknown[]> {
  const rules = {
    // The gateway's port is meant for everyone.
    'no-unbound-port-interfaces': 0,
    // Services stand in the order of the system, their keys in the order in which one asks.
    'services-alphabetical-order': 0,
    'service-keys-order': 0,
    'service-dependencies-alphabetical-order': 0,
  } as const
  const file = await writeComposeFile(text)
  // Its types refer to files that it does not ship.
  const results = new DCLinter({ rules, quiet: true, debug: false, exclude: [] }).lintFiles([file], false) as readonly LintResult[]
  return results.flatMap(({ messages }) => messages.map(({ rule, message }) => `${rule}: ${message}`))
}

test.each(variants)('the Compose specification allows what is generated with %s', async (_what, of, options) => {
  expect(await lint(composeFile(of, options))).toEqual([])
})

test('the linter would notice a mistake', async () => {
  expect(await lint(composeFile(fixtureShop).replace('restart: unless-stopped', 'restarts: unless-stopped'))).toEqual([
    expect.stringMatching(/^invalid-schema/),
  ])
})

const composePlugin = await promisify(execFile)('docker', ['compose', 'version']).then(
  () => true,
  () => false,
)
test.skipIf(!composePlugin).each(variants)(
  'docker compose itself reads what is generated with %s (skipped where its plugin is not installed)',
  async (_what, of, options) => {
    const file = await writeComposeFile(composeFile(of, options))
    const variables = Object.fromEntries([...composeVariables(of).matchAll(/^(\w+)=$/gm)].map(([, name]) => [name, 'x']))
    await promisify(execFile)('docker', ['compose', '--file', file, 'config', '--quiet'], { env: { ...process.env, ...variables } })
  },
)

test('each service has its own database, which only it can reach', () => {
  const { services, networks, volumes } = composed()
  expect(services['user-service']).toMatchObject({
    environment: { DATABASE_URL: 'postgres://user-service:${USER_DB_PASSWORD:?set USER_DB_PASSWORD in .env}@user-db:5432/user-service' },
    networks: ['default', 'user-db'],
    depends_on: { 'user-db': { condition: 'service_healthy' } },
  })
  for (const database of ['user-db', 'order-db', 'mail-db']) {
    const members = Object.entries(services).filter(([, { networks: joined }]) => joined?.includes(database))
    expect(members.map(([name]) => name)).toEqual([expect.not.stringMatching(/-db$/), database])
    expect(services[database]).toMatchObject({ networks: [database] })
    expect(services[database]).not.toHaveProperty('ports')
    expect(networks[database]).toEqual({ internal: true })
    expect(volumes).toHaveProperty(database)
  }
  expect(services).not.toHaveProperty('prices-db')
})

test('services find one another, and the broker where they need it', () => {
  const { services } = composed()
  const environment = (name: string) => services[name]?.environment ?? {}
  expect(environment('order-service')).toMatchObject({ USER_SERVICE_URL: 'http://user-service:8080', PRICES_URL: 'http://prices:8080' })
  expect(environment('order-service')['RABBITMQ_URL']).toBe(
    'amqp://skerry:${RABBITMQ_PASSWORD:?set RABBITMQ_PASSWORD in .env}@rabbitmq:5672',
  )
  expect(environment('mail')['RABBITMQ_URL']).toBeDefined()
  expect(environment('mail')).not.toHaveProperty('ORDER_SERVICE_URL')
  expect(Object.keys(environment('prices'))).toEqual(['SKERRY_DRAIN_MS', 'SKERRY_GRACE_MS'])
  expect(environment('user-service')).not.toHaveProperty('RABBITMQ_URL')
})

test("a service's own settings are passed to it and to nobody else", () => {
  const { services } = composed()
  expect(services['mail']?.environment).toMatchObject({
    SMTP_URL: '${SMTP_URL:?set SMTP_URL in .env}',
    MAIL_FROM: '${MAIL_FROM:-}',
    MAIL_SIZE: '${MAIL_SIZE:-}',
  })
  expect(JSON.stringify(services['user-service'])).not.toContain('SMTP')
})

test('the gateway is the one public door, and waits for nobody in vain', () => {
  const { services } = composed()
  expect(services['gateway']).toMatchObject({ build: { context: './gateway' }, ports: ['${GATEWAY_PORT:-80}:8080'] })
  expect(services['gateway']?.depends_on).toEqual({
    'user-service': { condition: 'service_healthy', required: false },
    'order-service': { condition: 'service_healthy', required: false },
  })
  const others = Object.entries(services).filter(([name, { ports }]) => name !== 'gateway' && ports !== undefined)
  expect(others.map(([name, { ports }]) => [name, ports])).toEqual([['rabbitmq', ['127.0.0.1:${RABBITMQ_MANAGEMENT_PORT:-15672}:15672']]])
})

test('the embedded gateway is told where services are', () => {
  const { services } = composed(fixtureShop, { gateway: 'embedded', folder: 'a/b' })
  expect(services['gateway']).toMatchObject({
    build: { context: '../..', dockerfile: 'a/b/gateway/Dockerfile' },
    environment: { USER_SERVICE_URL: 'http://user-service:8080', ORDER_SERVICE_URL: 'http://order-service:8080' },
  })
})

test('no secret is in the file: each password is a variable that must be set, and is listed', () => {
  const text = composeFile(fixtureShop)
  const secrets = [...text.matchAll(/:\/\/[^:\n]+:([^@\n]*)@|PASS(?:WORD)?: (.*)$/gm)].map(([, inUrl, plain]) => inUrl ?? plain)
  expect(secrets).toHaveLength(9)
  for (const secret of secrets) expect(secret).toMatch(/^\$\{([A-Z_]+_PASSWORD):\?set \1 in \.env\}$/)
  const needed = [...new Set([...text.matchAll(/\$\{(\w+):\?/g)].map(([, name]) => name!))]
  const optional = [...new Set([...text.matchAll(/\$\{(\w+):-/g)].map(([, name]) => name!))]
  const listed = composeVariables(fixtureShop)
  expect([...listed.matchAll(/^(\w+)=$/gm)].map(([, name]) => name!).toSorted(byText)).toEqual(needed.toSorted(byText))
  expect([...listed.matchAll(/^# (\w+)=/gm)].map(([, name]) => name!).toSorted(byText)).toEqual(optional.toSorted(byText))
})

test('the project has a name that Compose can have', () => {
  expect(composed().name).toBe('fixture-shop')
  expect(() => composeFile(system('--', { services: alone.services }))).toThrow(/Compose needs a project name/)
})

test('servers and services do not take one another for themselves', () => {
  const Fact = z.object({ id: z.string() })
  const named = (name: string) =>
    service(contract(name, { version: '1.0.0', operations: {}, events: { happened: event(Fact, { key: 'id' }) } })).implement({})
  const both = composed(system('both', { services: [named('user'), named('user-service')] }))
  expect(Object.keys(both.services)).toEqual(['user', 'user-service', 'user-db', 'user-service-db', 'rabbitmq'])
  for (const taken of ['rabbitmq', 'user-db'])
    expect(() => composeFile(system('clash', { services: [named('user'), named(taken)], gateway: gateway() }))).toThrow(
      `"${taken}" is the name of a server that the system needs`,
    )
})

function byText(a: string, b: string): number {
  return a < b ? -1 : 1
}
