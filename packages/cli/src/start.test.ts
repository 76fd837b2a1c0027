import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { request } from '../../../test/topologies/request.ts'
import type { Project, RunningCommand } from './fixtures/project.ts'
import { openProject } from './fixtures/project.ts'
import { PLAIN_SYSTEM, SMALL_SYSTEM } from './fixtures/small-system.ts'
import type { StartedLine } from './started.ts'

async function startedLine(command: RunningCommand): Promise<StartedLine> {
  const [line] = await command.printed(/^\{"event":"started".*$/m)
  return JSON.parse(line) as StartedLine
}

/** A request that is being answered and will not be until the file exists. */
async function heldRequest(project: Project, command: RunningCommand, gateway: string) {
  const until = join(project.directory, 'let-go')
  const answer = request('POST', `${gateway}/hold`, { until })
  const settled = answer.then(
    () => {},
    () => {},
  )
  await command.printed(/"msg":"holding"/)
  return { answer, settled, letGo: () => project.write('let-go', '') }
}

describe('what it says', () => {
  test('--json: one line on standard output when it serves, the log elsewhere', async () => {
    await using project = await openProject()
    const command = await project.start(['start', '--json'], { USERS_PORT: '0' })
    const { gateway, services, pid } = await startedLine(command)
    expect(pid).toBe(command.pid)
    expect((await request('POST', `${gateway}/users`, { id: 1, name: 'Ann' })).body).toEqual({ id: 1, name: 'Ann' })
    expect((await request('GET', `${services['users']}/users-count`)).body).toEqual({ count: 1 })
    expect((await request('GET', `${gateway}/users-count`)).status).toBe(404)
    command.signal('SIGTERM')
    const { code, stdout, stderr } = await command.ended
    expect(code).toBe(0)
    expect(stdout.trimEnd().split('\n')).toHaveLength(1)
    for (const line of stderr.trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('msg')
  })

  test('for people: a table on standard error whose first request works as it is', async () => {
    await using project = await openProject()
    const command = await project.start(['start'], { SKERRY_DATA: 'here' })
    const [, url, body] = await command.printed(/try +curl (\S+) -H 'content-type: application\/json' -d '(.*)'$/m)
    expect((await request('POST', url!, body)).status).toBe(200)
    const table = await command.stderr()
    expect(table).toMatch(/^people is running\.$/m)
    expect(table).toMatch(/^ {2}gateway {3}http:\/\/127\.0\.0\.1:\d+$/m)
    expect(table).toMatch(/^ {2}services {2}users$/m)
    expect(table).toMatch(/^ {2}database {2}PGlite in here$/m)
    expect(table).toMatch(/^ {2}broker {4}embedded$/m)
  })

  test('the log goes to standard output, a line of JSON each', async () => {
    await using project = await openProject({ files: PLAIN_SYSTEM })
    const command = await project.start(['start'])
    const [, url] = await command.printed(/gateway +(\S+)/)
    const held = await heldRequest(project, command, url!)
    for (const line of (await command.stdout()).trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('msg')
    await held.letGo()
    await held.answer
  })

  test('LOG_LEVEL=silent leaves standard output empty', async () => {
    await using project = await openProject({ files: PLAIN_SYSTEM })
    const command = await project.start(['start'], { LOG_LEVEL: 'silent' })
    await command.printed(/is running/)
    command.signal('SIGTERM')
    expect(await command.ended).toMatchObject({ code: 0, stdout: '' })
  })

  test('one service without the gateway listens on PORT, and is what there is to try', async () => {
    await using project = await openProject()
    const command = await project.start(['start', 'users'])
    const [, url] = await command.printed(/try +curl (\S+)/)
    expect(await command.stderr()).not.toMatch(/gateway/)
    expect((await request('GET', new URL('/users-count', url).href)).body).toEqual({ count: 0 })
  })
})

describe('how it ends', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('%s: what has begun is finished, then exit 0', async (signal) => {
    await using project = await openProject({ files: PLAIN_SYSTEM })
    const command = await project.start(['start', '--json'])
    const { gateway } = await startedLine(command)
    const held = await heldRequest(project, command, gateway!)
    command.signal(signal)
    await command.printed(new RegExp(`stopping on ${signal}`))
    await held.letGo()
    expect((await held.answer).body).toEqual({ held: true })
    expect(await command.ended).toMatchObject({ code: 0, signal: null })
  })

  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('a second %s does not wait: exit %i', async (signal, code) => {
    await using project = await openProject({ files: PLAIN_SYSTEM })
    const command = await project.start(['start', '--json'])
    const { gateway } = await startedLine(command)
    const held = await heldRequest(project, command, gateway!)
    command.signal(signal)
    await command.printed(new RegExp(`stopping on ${signal}`))
    command.signal(signal)
    expect(await command.ended).toMatchObject({ code })
    await held.settled
  })

  test('while it waits for its database, by the first signal', async () => {
    await using project = await openProject()
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    silent.close()
    const command = await project.start(['start'], { DATABASE_URL: `postgres://ann:secret@127.0.0.1:${port}/people` })
    await command.printed(/waiting for PostgreSQL at 127\.0\.0\.1:\d+/)
    command.signal('SIGTERM')
    const { code, stdout, stderr } = await command.ended
    expect(code).toBe(0)
    expect(stderr).not.toMatch(/error/)
    expect(stdout + stderr).not.toContain('secret')
  })

  test('by an error that nothing caught: in the log with its stack, exit 1', async () => {
    await using project = await openProject({ files: PLAIN_SYSTEM })
    await project.write(
      'system.ts',
      PLAIN_SYSTEM['system.ts']!.replace("log.info('holding')", "queueMicrotask(() => { throw new Error('lost') })"),
    )
    const command = await project.start(['start', '--json'])
    const { gateway } = await startedLine(command)
    await request('POST', `${gateway}/hold`, { until: '/nowhere' }).catch(() => {})
    const { code, stderr } = await command.ended
    expect(code).toBe(1)
    const last = JSON.parse(stderr.trimEnd().split('\n').at(-1)!) as { level: string; cause: { message: string; stack: string } }
    expect(last).toMatchObject({ level: 'error', cause: { message: 'lost' } })
    expect(last.cause.stack).toContain('system.ts:')
  })

  test('at the crash point it was given, and not before', async () => {
    await using project = await openProject({ files: PLAIN_SYSTEM })
    const command = await project.start(['start', '--json'], { SKERRY_CRASH_AT: 'operation.received:2' })
    const { gateway } = await startedLine(command)
    expect((await request('POST', `${gateway}/hold`, { until: '/' })).status).toBe(200)
    await request('POST', `${gateway}/hold`, { until: '/' }).catch(() => {})
    expect(await command.ended).toMatchObject({ signal: 'SIGKILL' })
  })
})

describe('what is wrong', () => {
  test('a port in use: named, with what to do, exit 1', async () => {
    await using project = await openProject({ files: PLAIN_SYSTEM })
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const { code, stderr } = await project.run(['start'], { PORT: String(port) })
    other.close()
    expect(code).toBe(1)
    expect(stderr).toMatch(new RegExp(`^error: Port ${port} on 127\\.0\\.0\\.1 is in use`, 'm'))
    expect(stderr).toMatch(/^What to do: Stop what listens there, or choose another port\.$/m)
    expect(stderr).not.toMatch(/^ +at /m)
  })

  test('services that do not exist: exit 2, with those that do', async () => {
    await using project = await openProject()
    expect(await project.run(['start', 'users', 'oders', 'shoping'])).toEqual({
      code: 2,
      signal: null,
      stdout: '',
      stderr: 'error: The system "people" has no service named "oders" or "shoping".\n\nWhat to do: Use one of: users, gateway.\n',
    })
  })

  test('three mistakes in the configuration: one message with all three, exit 78', async () => {
    await using project = await openProject()
    const { code, stderr, stdout } = await project.run(['start'], {
      PORT: '99999',
      LOG_LEVEL: 'loud',
      DATABASE_URL: 'mysql://ann:secret@db/people',
    })
    expect(code).toBe(78)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/The configuration has 3 mistakes:/)
    for (const variable of ['PORT is "99999"', 'LOG_LEVEL is "loud"', 'DATABASE_URL begins with mysql://'])
      expect(stderr).toContain(`  - ${variable}`)
    expect(stderr).not.toContain('secret')
  })

  test('a crash point that does not exist: exit 78, with those that do', async () => {
    await using project = await openProject()
    const { code, stderr } = await project.run(['start'], { SKERRY_CRASH_AT: 'relay.publishd' })
    expect(code).toBe(78)
    expect(stderr).toMatch(/SKERRY_CRASH_AT: "relay\.publishd" is not a crash point.*relay\.published/)
  })

  test('two hosts on one data directory: the second names the process of the first and gives up', async () => {
    await using project = await openProject()
    const first = await project.start(['start', '--json'], { SKERRY_DATA: 'data' })
    await startedLine(first)
    const { code, stderr } = await project.run(['start'], { SKERRY_DATA: 'data' })
    expect(code).toBe(1)
    expect(stderr).toContain(`Process ${first.pid} `)
    expect(stderr).toContain('data')
    expect(first.pid).not.toBe(0)
    first.signal('SIGTERM')
    expect(await first.ended).toMatchObject({ code: 0 })
  })

  test('a database that does not exist: said at once, without the password, exit 1', async () => {
    await using project = await openProject()
    const url = new URL(process.env['SKERRY_TEST_POSTGRES_URL']!)
    url.pathname = '/no-such-database'
    const { code, stderr } = await project.run(['start'], { DATABASE_URL: url.href })
    expect(code).toBe(1)
    expect(stderr).toMatch(/The database of "users" cannot be opened \(PostgreSQL at .*no-such-database\): .*has no database/)
    if (url.password !== '') expect(stderr).not.toContain(url.password)
  })

  test('engines that are not installed: all of them and the command that installs them, exit 78', async () => {
    await using project = await openProject({ packages: ['skerry', 'zod'] })
    const embedded = await project.run(['start'])
    expect(embedded).toMatchObject({ code: 78, stderr: expect.stringContaining('@skerry/pglite (a database without a URL is embedded)') })
    expect(embedded.stderr).toContain('What to do: Install it there with: npm install @skerry/pglite\n')
    const servers = await project.run(['start'], { DATABASE_URL: 'postgres://ann@localhost/people', BROKER_URL: 'amqp://localhost' })
    expect(servers).toMatchObject({ code: 78, stderr: expect.stringContaining('npm install @skerry/postgres @skerry/rabbitmq\n') })
    for (const [url, engine] of [
      ['nats://localhost', '@skerry/nats'],
      ['tls://localhost', '@skerry/nats'],
      ['kafka://localhost', '@skerry/kafka'],
      ['kafkas://localhost', '@skerry/kafka'],
    ] as const)
      expect(await project.run(['start'], { SKERRY_DATA: 'memory', BROKER_URL: url })).toMatchObject({
        code: 78,
        stderr: expect.stringContaining(`npm install @skerry/pglite ${engine}\n`),
      })
    expect((await project.run(['migrate'])).stderr).toContain('npm install @skerry/pglite\n')
  })
})

describe('the system file', () => {
  test('is found as system.js and src/system.ts too', async () => {
    const { 'system.ts': system, ...rest } = SMALL_SYSTEM
    await using project = await openProject({ files: { ...rest, 'src/system.ts': system!.replace('./services', '../services') } })
    expect(await project.run(['openapi'])).toMatchObject({ code: 0 })
    await project.write('system.js', system!.replaceAll('people', 'folk'))
    const { stdout } = await project.run(['openapi'])
    expect(JSON.parse(stdout)).toMatchObject({ info: { title: 'folk' } })
  })

  test('is not there: exit 2, with where it was looked for and what it contains', async () => {
    await using project = await openProject({ files: {} })
    const byDefault = await project.run(['start'])
    expect(byDefault).toMatchObject({ code: 2, stdout: '' })
    expect(byDefault.stderr).toContain('looked for system.ts, system.js, src/system.ts in')
    expect(byDefault.stderr).toContain("export const shop = system('shop'")
    const named = await project.run(['start', '--system', 'shop.ts'])
    expect(named).toMatchObject({ code: 2, stderr: expect.stringContaining(`There is no file ${join(project.directory, 'shop.ts')}.`) })
    const folder = await project.run(['start', '--system', 'node_modules'])
    expect(folder).toMatchObject({ code: 2, stderr: expect.stringContaining('node_modules is not a file.') })
  })

  test('exports no system: exit 2, with what it does export', async () => {
    await using project = await openProject()
    await project.write('system.ts', "import './services/users.ts'\nexport const shop = 1, gateway = 2\n")
    expect(await project.run(['start'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/system\.ts exports no system; it exports gateway, shop\./),
    })
  })

  test('exports several systems: exit 2, unless one is the default', async () => {
    await using project = await openProject()
    const both = `${SMALL_SYSTEM['system.ts']}\nexport const folk = system('folk', { services: [users], gateway: gateway() })\n`
    await project.write('system.ts', both)
    expect(await project.run(['openapi'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/exports several systems: folk, people\./),
    })
    await project.write('system.ts', `${both}\nexport default folk\n`)
    expect(JSON.parse((await project.run(['openapi'])).stdout)).toMatchObject({ info: { title: 'folk' } })
  })

  test('does not compile: the file, the line and what is wrong, exit 1, the stack only with --verbose', async () => {
    await using project = await openProject()
    await project.write('services/users.ts', `${SMALL_SYSTEM['services/users.ts']}\nconst = 3\n`)
    const short = await project.run(['start'])
    expect(short.code).toBe(1)
    expect(short.stderr).toMatch(/services\/users\.ts:\d+\nconst = 3\n {6}\^/)
    expect(short.stderr).not.toMatch(/^ +at /m)
    for (const verbose of [await project.run(['start', '--verbose']), await project.run(['start'], { SKERRY_DEBUG: '1' })]) {
      expect(verbose.code).toBe(1)
      expect(verbose.stderr).toMatch(/^ +at /m)
    }
  })

  test('throws: the message and the place', async () => {
    await using project = await openProject()
    await project.write('system.ts', "throw new Error('no such luck')\n")
    expect(await project.run(['start'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/error: no such luck\n\n {2}at file:.*system\.ts:1:7/),
    })
  })

  test('describes a system that cannot be: every mistake, exit 1', async () => {
    await using project = await openProject()
    await project.write('system.ts', SMALL_SYSTEM['system.ts']!.replace('[users]', '[users, users]'))
    expect(await project.run(['start'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('two services implement the contract "users"'),
    })
  })
})
