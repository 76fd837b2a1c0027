/** What the gateway does is tested on running gateways, in test/gateway. Here: what nginx accepts, and what the generator refuses to say. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { contract, del, gateway, get, post, put, service, system } from 'skerry'
import type { System } from 'skerry'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import type { NginxOptions } from './configuration.ts'
import { nginxConfiguration } from './configuration.ts'

const ById = z.object({ id: z.string() })
const nothing = async (): Promise<void> => {}

const orders = service(
  contract('order-service', {
    version: '1.0.0',
    operations: {
      root: get('/', { public: true }),
      place: post('/orders', { public: true, deadline: '2.5s' }),
      placeOnce: post('/orders/once', { public: true, idempotent: true }),
      find: get('/orders/{id}', { input: ById, public: true }),
      dotted: get('/orders/v1.0/~me_-', { public: true }),
      latest: get('/orders/latest', { public: true }),
      replace: put('/orders/{id}', { input: ById, public: true, idempotent: false }),
      remove: del('/orders/{id}', { input: ById, public: true }),
      hidden: get('/orders/hidden/{id}', { input: ById }),
    },
  }),
).implement({
  root: nothing,
  place: nothing,
  placeOnce: nothing,
  find: nothing,
  dotted: nothing,
  latest: nothing,
  replace: nothing,
  remove: nothing,
  hidden: nothing,
})

const internal = service(contract('internal-service', { version: '1.0.0', operations: { peek: get('/peek') } })).implement({
  peek: nothing,
})

const shop = system('shop', { services: [orders, internal], gateway: gateway({ maxBodyBytes: 4_096 }) })
const one = { 'order-service': ['10.0.0.7:8080'] }

function generate(options: NginxOptions, of: System = shop): string {
  return nginxConfiguration(of, options)[0]!.content
}

test.each<[string, NginxOptions]>([
  ['one address', { upstreams: one }],
  ['several, IPv6 too', { upstreams: { 'order-service': ['10.0.0.7:8080', '[fd00::7]:8080', '127.0.0.1:1'] } }],
  [
    'a DNS name',
    { upstreams: { 'order-service': ['orders.internal:8080'] }, resolver: ['127.0.0.11', '[fd00::53]:5353'], resolverValidMs: 30_000 },
  ],
  ['a service without public operations', { upstreams: { ...one, 'internal-service': ['internal:80'] } }],
  ['an address to listen on', { upstreams: one, listen: '[::1]:8443' }],
  ['odd paths', { upstreams: one, temporaryDirectory: 'tempo rary', pidFile: 'it\'s "quoted"; \\ # {.pid', accessLog: 'logs/a b.log' }],
])('nginx accepts what is generated for %s', async (_what, options) => {
  const folder = await mkdtemp(join(tmpdir(), 'skerry-deploy-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  for (const name of ['logs', 'temporary', 'tempo rary']) await mkdir(join(folder, name))
  const files = nginxConfiguration(shop, {
    temporaryDirectory: 'temporary',
    pidFile: 'nginx.pid',
    accessLog: 'logs/access.log',
    listen: '127.0.0.1:8443',
    ...options,
  })
  for (const { path, content } of files) await writeFile(join(folder, path), content)
  await expect(promisify(execFile)(await nginxProgram(), ['-t', '-q', '-p', folder, '-c', 'nginx.conf'])).resolves.toEqual({
    stdout: '',
    stderr: '',
  })
})

test('the same system gives the same text, whatever the order in which its addresses are named', () => {
  expect(generate({ upstreams: { 'internal-service': ['10.0.0.8:80'], ...one } })).toBe(
    generate({ upstreams: { ...one, 'internal-service': ['10.0.0.8:80'] } }),
  )
})

test('what is not public is not mentioned', () => {
  const files = nginxConfiguration(shop, { upstreams: { ...one, 'internal-service': ['10.0.0.8:8080'] } })
  for (const { content } of files) expect(content).not.toMatch(/hidden|internal-service|peek|10\.0\.0\.8/)
})

test('a literal segment goes before a parameter, per method', () => {
  const [, get = ''] = /map \$skerry_path \$skerry_get \{([^]*?)\n {4}\}/.exec(generate({ upstreams: one })) ?? []
  const keys = [...get.matchAll(/^ {8}(\S+) order-service\.(\w+);$/gm)].map(([, key, operation]) => [operation, key])
  expect(keys).toEqual([
    ['root', '""'],
    ['latest', '"~^/orders/latest$"'],
    ['dotted', '"~^/orders/v1\\.0/~me_-$"'],
    ['find', '"~^/orders/[^/]+$"'],
  ])
})

test('deadlines and who may be asked again follow the contract', () => {
  const text = generate({ upstreams: one })
  const location = (operation: string): string =>
    new RegExp(`location = /@skerry/order-service\\.${operation} \\{([^}]*)\\}`).exec(text)?.[1] ?? ''
  expect(location('find')).toContain('proxy_next_upstream error timeout;')
  expect(location('remove')).toContain('proxy_next_upstream error timeout;')
  // nginx itself asks nobody else after a POST has been sent, but it would after a PUT.
  expect(location('place')).toContain('proxy_next_upstream error timeout;')
  expect(location('placeOnce')).toContain('proxy_next_upstream error timeout non_idempotent;')
  expect(location('replace')).toContain('proxy_next_upstream off;')
  expect(location('place')).toMatch(/set \$skerry_deadline_ms 2495;[^]*proxy_read_timeout 2500ms;/)
})

test('a name stays within its comment, whatever it is', () => {
  const named = system('a\n}\nload_module x;"$host"', { services: [orders], gateway: gateway() })
  const text = generate({ upstreams: one }, named)
  expect(text.split('\n')[0]).toBe(
    '# The gateway of the system "a\\n}\\nload_module x;\\"$host\\"". Generated by @skerry/deploy: change the contracts, then generate it again.',
  )
  expect(text).not.toMatch(/^\s*load_module/m)
})

test.each<[string, NginxOptions, RegExp]>([
  ['no address for a public service', { upstreams: {} }, /order-service has public operations, but no address is given/],
  ['an empty list', { upstreams: { 'order-service': [] } }, /order-service: no address is given/],
  ['an unknown service', { upstreams: { ...one, oder: ['10.0.0.7:80'] } }, /no service "oder", only order-service, internal-service/],
  ['an address twice', { upstreams: { 'order-service': ['10.0.0.7:80', '10.0.0.7:80'] } }, /twice/],
  ['no port', { upstreams: { 'order-service': ['10.0.0.7'] } }, /"10.0.0.7" is not host:port/],
  ['port 0', { upstreams: { 'order-service': ['10.0.0.7:0'] } }, /is not host:port/],
  ['port 65536', { upstreams: { 'order-service': ['10.0.0.7:65536'] } }, /is not host:port/],
  ['a URL', { upstreams: { 'order-service': ['http://orders:80'] } }, /is not host:port/],
  ['a directive in an address', { upstreams: { 'order-service': ['a:80; include x'] } }, /is not host:port/],
  ['a variable in an address', { upstreams: { 'order-service': ['$host:80'] } }, /is not host:port/],
  ['a number that is no address', { upstreams: { 'order-service': ['10.0.0.256:80'] } }, /neither an IP address nor a DNS name/],
  ['localhost', { upstreams: { 'order-service': ['localhost:80'] }, resolver: ['1.1.1.1'] }, /write 127\.0\.0\.1/],
  ['several names', { upstreams: { 'order-service': ['a:80', 'b:80'] }, resolver: ['1.1.1.1'] }, /a:80, b:80 must stand alone/],
  ['a name among addresses', { upstreams: { 'order-service': ['a:80', '10.0.0.7:80'] }, resolver: ['1.1.1.1'] }, /a:80 must stand alone/],
  ['a name without DNS servers', { upstreams: { 'order-service': ['a:80'] } }, /name the DNS servers in "resolver"/],
  ['a DNS server by name', { upstreams: one, resolver: ['dns.example'] }, /is not the IP address of a DNS server/],
  ['DNS answers for no time', { upstreams: one, resolver: ['1.1.1.1'], resolverValidMs: 10 }, /give it 1000 at least/],
  ['a port that is none', { upstreams: one, listen: 70_000 }, /listen is 70000/],
  ['a name to listen on', { upstreams: one, listen: 'localhost:80' }, /listen is "localhost:80"/],
  ['a directive to listen with', { upstreams: one, listen: '80; include x' }, /listen is/],
  ['a variable in a path', { upstreams: one, pidFile: '/run/$host.pid' }, /pidFile is .* nginx cannot be given "\$"/],
  ['a line break in a path', { upstreams: one, errorLog: 'a\nb' }, /errorLog/],
])('refuses %s', (_what, options, reason) => {
  expect(() => generate(options)).toThrow(reason)
})

test('refuses a system without a gateway, and one whose contracts claim one route', () => {
  expect(() => generate({ upstreams: one }, system('shop', { services: [orders] }))).toThrow(/has no gateway/)
  const other = service(
    contract('other', {
      version: '1.0.0',
      operations: { find: get('/orders/{order}', { input: z.object({ order: z.string() }), public: true }) },
    }),
  ).implement({ find: nothing })
  const both = system('shop', { services: [orders, other], gateway: gateway() })
  expect(() => generate({ upstreams: { ...one, other: ['10.0.0.8:80'] } }, both)).toThrow(
    /order-service\.find and other\.find are both public at GET/,
  )
})

test('refuses a deadline that nginx cannot count', () => {
  const slow = service(
    contract('slow', { version: '1.0.0', operations: { wait: get('/wait', { public: true, deadline: '30d' }) } }),
  ).implement({ wait: nothing })
  expect(() => generate({ upstreams: { slow: ['10.0.0.8:80'] } }, system('shop', { services: [slow], gateway: gateway() }))).toThrow(
    /slow\.wait: nginx cannot wait 2592000000 ms/,
  )
})

/** Debian keeps it where only root's PATH looks. */
async function nginxProgram(): Promise<string> {
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', 'PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v nginx'])
  return stdout.trim()
}
