import { expect, test } from 'vitest'
import { freePort } from '../../../../test/services/free-port.ts'
import { waitUntil } from '../../../../test/services/wait-until.ts'
import { createSharedDatabase, query } from '../../../../test/topologies/databases.ts'
import { request } from '../../../../test/topologies/request.ts'
import type { Project, RunningCommand } from '../fixtures/project.ts'
import { openProject } from '../fixtures/project.ts'
import { DEPRECATED_SYSTEM } from './fixtures/deprecated-system.ts'

const WAIT_MS = 60_000
const OUTDATED = /has not been brought up to date[^]*skerry migrate prices/

interface Callers {
  readonly operations: readonly {
    readonly operation: string
    readonly callers: readonly { readonly caller: string; readonly calls: number; readonly firstAt: string; readonly lastAt: string }[]
  }[]
}

interface Started {
  readonly gateway: string
  readonly services: Readonly<Record<string, string>>
}

type Environment = Readonly<Record<string, string>>

async function start(
  project: Project,
  services: readonly string[],
  environment: Environment,
): Promise<Started & { readonly command: RunningCommand }> {
  const command = await project.start(['start', '--json', ...services], environment)
  const [line] = await command.printed(/^\{"event":"started".*$/m)
  return { ...(JSON.parse(line) as Started), command }
}

async function stop(command: RunningCommand): Promise<void> {
  command.signal('SIGTERM')
  expect(await command.ended).toMatchObject({ code: 0 })
}

const get = (url: string, userAgent: string) => request('GET', url, undefined, { 'user-agent': userAgent })

/** How often each has called, by the caller without the platform. */
async function counts(project: Project, environment: Environment, operation = 'findPrice'): Promise<Readonly<Record<string, number>>> {
  const { code, stdout, stderr } = await project.run(['contract', 'callers', 'prices', '--json'], environment)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const { callers } = (JSON.parse(stdout) as Callers).operations.find((one) => one.operation === operation)!
  return Object.fromEntries(callers.map(({ caller, calls }) => [caller.replace(/ skerry\/.*$/, ''), calls]))
}

test('callers over HTTP: what several instances have counted is one sum, which outlives them', async () => {
  await using database = await createSharedDatabase()
  await using project = await openProject({ files: DEPRECATED_SYSTEM })
  const environment = { DATABASE_URL: database.url }
  const callers = (...parameters: string[]) => project.run(['contract', 'callers', ...parameters], environment)
  expect(await callers()).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(OUTDATED),
  })
  const one = await start(project, ['prices'], environment)
  expect(await callers()).toEqual({
    code: 0,
    signal: null,
    stderr: '',
    stdout: `prices.findPrice  deprecated since 2026-11-01, may be gone from 2027-05-01 on
  instead: GET /v2/prices/{id}
  No call of it has been counted.

prices.listPrices  deprecated since 2026-12-01
  No call of it has been counted.

clocks.now  deprecated since 2026-10-01
  Its calls are not counted: the service has no database to keep them in.
`,
  })

  const other = await start(project, ['prices'], environment)
  const front = await start(project, ['carts', 'gateway'], { PRICES_URL: one.services['prices']!, CLOCKS_URL: 'http://127.0.0.1:9' })
  for (let count = 0; count < 3; count++) expect((await get(`${front.gateway}/carts/7`, 'App/1')).status).toBe(200)
  await get(`${front.gateway}/prices/7`, 'App/1 (of ann@example.com)')
  await get(`${other.services['prices']}/prices/7`, 'App/1')
  await get(`${other.services['prices']}/prices/7`, 'ann@example.com')
  await get(`${other.services['prices']}/v2/prices/7`, 'Newer/1')
  // At once: what they have counted is written when they stop.
  await stop(front.command)
  await Promise.all([stop(one.command), stop(other.command)])
  expect(await counts(project, environment)).toEqual({ 'App/1': 2, 'carts/1.3.0': 3, '(unnamed)': 1 })

  const successor = await start(project, ['prices'], environment)
  await get(`${successor.services['prices']}/prices/7`, 'App/1')
  await waitUntil('it is counted', WAIT_MS, async () => (await counts(project, environment))['App/1'] === 3 || undefined)
  await stop(successor.command)
  const shown = await callers('prices')
  expect(shown.stdout).toMatch(
    /^ {2}caller +calls {2}first call +last call\n {2}App\/1 +3 {2}\S+Z {2}\S+Z \(\d+ s\)\n(.*\n)*? {2}carts\/1\.3\.0 skerry\/\S+ +3 {2}\S+Z {2}\S+Z \(\d+ s\)$/m,
  )
  expect(shown.stdout).not.toMatch(/ann@example|Newer|clocks/)

  // As a database is that only an earlier version has migrated.
  await query(database.url, 'drop table prices.skerry_deprecated_call')
  expect(await callers('prices')).toMatchObject({ code: 1, stderr: expect.stringMatching(OUTDATED) })
})

test('callers in one process are named as over HTTP, and a host that runs is asked through its admin API', async () => {
  await using project = await openProject({ files: DEPRECATED_SYSTEM })
  const port = String(await freePort())
  const host = await start(project, [], { ADMIN_PORT: port })
  expect((await get(`${host.gateway}/carts/7`, 'App/1')).status).toBe(200)
  await get(`${host.gateway}/prices/7`, 'App/1')
  await waitUntil('they are counted', WAIT_MS, async () => Object.keys(await counts(project, { ADMIN_PORT: port })).length > 0 || undefined)
  expect(await counts(project, { ADMIN_URL: `http://127.0.0.1:${port}` })).toEqual({ 'carts/1.3.0': 1, 'App/1': 1 })
  expect(await project.run(['contract', 'callers', 'carts'], { ADMIN_PORT: port })).toMatchObject({
    code: 0,
    stdout: 'No operation is deprecated.\n',
  })
  expect(await project.run(['contract', 'callers'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('Start that host with ADMIN_PORT'),
  })
  await stop(host.command)
})

test('what cannot be meant: exit 2', async () => {
  await using project = await openProject({ files: DEPRECATED_SYSTEM })
  for (const [parameters, what] of [
    [['nobody'], 'has no service named "nobody"'],
    [['gateway'], 'The gateway has no database.'],
    [['prices', 'carts'], 'too many arguments'],
  ] as const)
    expect(await project.run(['contract', 'callers', ...parameters])).toMatchObject({ code: 2, stderr: expect.stringContaining(what) })
})
