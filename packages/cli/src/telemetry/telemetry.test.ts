import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { freePort } from '../../../../test/services/free-port.ts'
import { waitUntil } from '../../../../test/services/wait-until.ts'
import { request } from '../../../../test/topologies/request.ts'
import type { Project, RunningCommand } from '../fixtures/project.ts'
import { openProject } from '../fixtures/project.ts'
import { SMALL_SYSTEM } from '../fixtures/small-system.ts'
import { BASKET_SYSTEM } from './fixtures/basket-system.ts'

const WAIT_MS = 60_000

type Environment = Readonly<Record<string, string>>

async function started(project: Project, parameters: readonly string[], environment: Environment) {
  const command = await project.start(['start', ...parameters, '--json'], environment)
  const [line] = await command.printed(/^\{"event":"started".*$/m)
  return { command, ...(JSON.parse(line) as { gateway: string; admin: string; services: Record<string, string> }) }
}

async function stopped(command: RunningCommand) {
  command.signal('SIGTERM')
  expect(await command.ended).toMatchObject({ code: 0 })
}

/** The basket and the gateway in one process, prices in another, and one file for what both tell. */
async function market() {
  const held = new AsyncDisposableStack()
  const project = held.use(await openProject({ files: BASKET_SYSTEM }))
  const env = { SKERRY_TELEMETRY: 'kept/recent.sqlite' }
  const [basketPort, pricesPort] = [String(await freePort()), String(await freePort())]
  const front = await started(project, ['basket', 'gateway'], {
    ...env,
    BASKET_PORT: basketPort,
    PRICES_URL: `http://127.0.0.1:${pricesPort}`,
  })
  await started(project, ['prices'], { ...env, PORT: pricesPort, BASKET_URL: `http://127.0.0.1:${basketPort}` })
  const run = (...parameters: string[]) => project.run(parameters, env)
  return {
    project,
    env,
    front,
    run,
    show: async (skus: string) => (await request('GET', `${front.gateway}/basket?skus=${skus}`)).status,
    /** What a command prints, once it is what is waited for. */
    async printed(pattern: RegExp, ...parameters: string[]): Promise<string> {
      let last = ''
      return waitUntil(
        `skerry ${parameters.join(' ')} prints ${pattern}`,
        WAIT_MS,
        async () => {
          const { stdout, stderr } = await run(...parameters)
          last = stdout + stderr
          return pattern.test(stdout) ? stdout : undefined
        },
        async () => last,
      )
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

test('what two processes did is one trace, one log and one map, read from the file that they share', async () => {
  await using shop = await market()
  expect([await shop.show('a,odd,a,a,a'), await shop.show('none'), await shop.show('cheap')]).toEqual([200, 500, 200])
  const listed = await shop.printed(/\n3 traces\.\n$/, 'traces', '--operation', 'GET /basket')
  expect(listed).toMatch(
    /^[0-9a-f]{12} {2}\d\d:\d\d:\d\d {2} +[\d.]+ m?s {2}gateway: GET \/basket, 7 spans\n.*, 5 spans {2}✗ \d failed\n.*, 13 spans\n3 traces\.\n$/,
  )
  const [failed] = /^[0-9a-f]{12}(?=.*✗)/m.exec(listed)!
  const tree = await shop.printed(/prices: prices\.getPrice/, 'traces', failed)
  expect(
    tree
      .split('\n')
      .slice(3)
      .map((line) => line.replace(/ {2,}[█▏].*$/, '')),
  ).toEqual([
    '✗ gateway: GET /basket',
    '    Internal error',
    '  ✗ basket.show',
    '      Internal error',
    '    ✗ basket: basket.show',
    '        Internal error',
    '      ✗ prices.getPrice',
    '          There is no such thing',
    '        prices: prices.getPrice',
    '',
  ])
  const { traces } = JSON.parse((await shop.run('traces', '--json', '--service', 'prices', '--status', 'ok', '--limit', '1')).stdout) as {
    traces: { traceId: string; services: string[]; spans: number }[]
  }
  expect(traces).toMatchObject([{ spans: 7, services: expect.arrayContaining(['gateway', 'basket', 'prices']) }])
  expect(JSON.parse((await shop.run('traces', traces[0]!.traceId, '--json')).stdout)).toMatchObject({
    traceId: traces[0]!.traceId,
    spans: [{ depth: 0, span: { service: 'gateway', name: 'GET /basket' } }, ...Array.from({ length: 6 }, () => expect.anything())],
  })
  expect((await shop.run('traces', '--slower', '100000')).stdout).toBe('No traces.\n')
  expect((await shop.run('traces', '--limit', '1')).stdout).toMatch(/There are more: go on with --before \d+, or narrow it down\.\n$/)

  expect((await shop.run('logs', '--level', 'warn')).stdout).toMatch(
    /warn {2}prices: An odd thing traceId=[0-9a-f]{32} sku=odd\n(.|\n)*error basket: basket\.show could not be answered/,
  )
  const about = (await shop.run('logs', '--trace', traces[0]!.traceId, '--json')).stdout
  expect(
    about
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toMatchObject([{ level: 'info', service: 'basket', message: 'A basket was shown', fields: { skus: 'cheap' } }])

  const { stdout: map } = await shop.run('map')
  expect(map).toMatch(/^ {2}gateway → basket +[\d.]+ +33 % +[\d.]+ m?s +[\d.]+ m?s\n {4}basket\.show/m)
  expect(map).toMatch(/^ {2}basket → prices +[\d.]+ +14 %/m)
  expect(map).toMatch(/^ {2}chatty: basket → prices, 5 calls in one trace: [0-9a-f]{32}$/m)
  expect(map).toMatch(/^ {2}cycle: basket → prices → basket, within one call: [0-9a-f]{32}$/m)
  expect(JSON.parse((await shop.run('map', '--since', '1h', '--json')).stdout)).toMatchObject({
    calls: expect.arrayContaining([expect.objectContaining({ from: 'prices', to: 'basket', isDeclared: true })]),
    chatty: [{ calls: 5 }],
  })
})

test('logs that are followed are those that come, until somebody stops', async () => {
  await using shop = await market()
  await shop.show('a')
  await shop.printed(/A basket was shown/, 'logs')
  const following = await shop.project.start(['logs', '--follow', '--service', 'basket', '--limit', '1'], shop.env)
  await following.printed(/A basket was shown .*skus=a$/m)
  await shop.show('a,odd')
  await following.printed(/A basket was shown .*skus=a,odd$/m)
  following.signal('SIGINT')
  const { code, stdout } = await following.ended
  expect(code).toBe(0)
  expect(stdout).not.toContain('An odd thing')
})

test('of a process that broke down the last line is kept', async () => {
  await using shop = await market()
  await request('POST', `${shop.front.gateway}/crash`, {}).catch(() => {})
  expect(await shop.front.command.ended).toMatchObject({ code: 1 })
  expect((await shop.run('logs', '--limit', '1')).stdout).toMatch(
    /error Nothing caught this error; the process ends traceId=[0-9a-f]{32}\n +Error: broke down\n/,
  )
})

describe('where it is', () => {
  test('beside the embedded database, for nobody else to read', async () => {
    await using project = await openProject({ files: SMALL_SYSTEM })
    const { command, gateway } = await started(project, [], { SKERRY_DATA: 'data' })
    await request('POST', `${gateway}/users`, { id: 1, name: 'Ann' })
    await waitUntil('it is in the list', WAIT_MS, async () => {
      const { stdout } = await project.run(['traces'], { SKERRY_DATA: 'data' })
      return stdout.includes('gateway: POST /users') || undefined
    })
    expect(((await stat(join(project.directory, 'data', 'telemetry.sqlite'))).mode & 0o777).toString(8)).toBe('600')
    await stopped(command)
    expect((await project.run(['traces'], { SKERRY_DATA: 'data' })).stdout).toContain('gateway: POST /users')
  })

  test('in one file for all processes of a supervisor', async () => {
    await using project = await openProject({ files: BASKET_SYSTEM })
    const env = { SKERRY_DATA: 'here' }
    const command = await project.start(['start', '--each', '--json'], env)
    const [line] = await command.printed(/^\{"event":"started".*$/m)
    const { gateway } = JSON.parse(line) as { gateway: string }
    expect((await request('GET', `${gateway}/basket?skus=a`)).status).toBe(200)
    await waitUntil('its trace is whole', WAIT_MS, async () => {
      const { stdout } = await project.run(['traces', '--json'], env)
      if (stdout === '') return undefined
      const { traces } = JSON.parse(stdout) as { traces: { services: string[] }[] }
      return traces.some(({ services }) => services.length === 3) || undefined
    })
    await stopped(command)
  })

  test('in memory, where only the admin API has it', async () => {
    await using project = await openProject({ files: BASKET_SYSTEM })
    const port = String(await freePort())
    const { command, gateway, admin } = await started(project, [], { ADMIN_PORT: port })
    await request('GET', `${gateway}/basket?skus=a`)
    const { stdout } = await project.run(['traces'], { ADMIN_PORT: port })
    expect(stdout).toContain('gateway: GET /basket')
    expect(await project.run(['map', '--json'], { ADMIN_URL: admin })).toMatchObject({ code: 0 })
    expect(await project.run(['traces'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/in the memory of the running host[^]*What to do: Start the host with ADMIN_PORT/),
    })
    await stopped(command)
  })

  test('nowhere, when it is off or cannot be', async () => {
    await using project = await openProject({ files: BASKET_SYSTEM })
    const off = await started(project, [], { SKERRY_TELEMETRY: 'off' })
    await stopped(off.command)
    expect(await project.run(['logs'], { SKERRY_TELEMETRY: 'off' })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('nothing is kept'),
    })
    expect(await project.run(['logs'], { SKERRY_TELEMETRY: 'none.sqlite' })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('There is no recent telemetry at none.sqlite'),
    })
    // A folder is in the way: the host says so, and serves.
    const { command, gateway } = await started(project, [], { SKERRY_TELEMETRY: 'node_modules' })
    expect((await request('GET', `${gateway}/basket?skus=a`)).status).toBe(200)
    expect(await command.stderr()).toMatch(/"level":"warn".*Recent telemetry cannot be kept, and the host goes on without/)
    await stopped(command)
  })
})

test('what cannot be meant: exit 2', async () => {
  await using project = await openProject({ files: BASKET_SYSTEM })
  for (const [parameters, what] of [
    [['traces', '7'], '"7" is not the id of a trace.'],
    [['traces', '--slower', 'much'], 'Expected a whole number from 1.'],
    [['traces', '--attribute', 'name'], 'Expected a name and a value, such as http.request.method=POST.'],
    [['logs', '--since', 'yesterday'], 'Expected a time such as 30s, 15m, 2h or 1d.'],
    [['logs', '--level', 'loud'], 'Allowed choices are debug, info, warn, error.'],
  ] as const)
    expect(await project.run(parameters)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(what) })
})
