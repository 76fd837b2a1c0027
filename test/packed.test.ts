/** What is published works where it is installed: built, packed, and run by plain Node in an empty folder. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { Consumer } from './packed/consumer.ts'
import { openConsumer } from './packed/consumer.ts'
import { root } from './repo/files.ts'
import { published } from './repo/manifests.ts'

const run = promisify(execFile)

let consumer: Consumer
beforeAll(async () => {
  consumer = await openConsumer(['zod'])
  await consumer.write('system.ts', system)
  await consumer.write('migrations/0001-guests.sql', 'create table guests (name text primary key);\n')
})
afterAll(() => consumer?.[Symbol.asyncDispose]())

test('every published package is in a tarball, with its licence and without tests', () => {
  expect(consumer.packages.map(({ manifest }) => manifest.name).toSorted()).toEqual(
    published.map(({ manifest }) => manifest.name).toSorted(),
  )
  for (const { manifest, files } of consumer.packages) {
    expect(files, manifest.name).toContain('LICENSE')
    expect(
      files.filter((file) => /\.test(-d)?\.|\/fixtures\/|tsbuildinfo/.test(file)),
      manifest.name,
    ).toEqual([])
    // A stack trace or "go to definition" in an installed package leads to the source.
    for (const file of files.filter((name) => name.endsWith('.js')))
      expect(files).toContain(file.replace('dist/', 'src/').replace(/js$/, 'ts'))
  }
})

test('new embedded databases need no initdb: what they are copies of is in the tarball', () => {
  const { files } = consumer.packages.find(({ manifest }) => manifest.name === '@skerry/pglite')!
  expect(files.filter((file) => file.startsWith('cluster/'))).toEqual([expect.stringMatching(/^cluster\/pglite-[\d.]+\.tar\.gz$/)])
})

test('every entry loads in plain Node', async () => {
  const entries = consumer.packages.flatMap(({ manifest }) =>
    Object.keys(manifest.exports ?? {}).map((path) => manifest.name + path.slice(1)),
  )
  const program = `for (const entry of ${JSON.stringify(entries)}) console.log(entry, Object.keys(await import(entry)).length > 0)`
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program], { cwd: consumer.directory })
  expect(stdout.trim().split('\n')).toEqual(entries.map((entry) => `${entry} true`))
})

test('a system type-checks against the published declarations', async () => {
  const options = {
    strict: true,
    noEmit: true,
    target: 'es2024',
    module: 'nodenext',
    allowImportingTsExtensions: true,
    types: [],
    skipLibCheck: true,
  }
  await consumer.write('tsconfig.json', JSON.stringify({ compilerOptions: options, include: ['*.ts'] }))
  await expect(typeCheck()).resolves.toBe('')
  await consumer.write(
    'wrong.ts',
    `import { guestbook } from './system.ts'\nexport const wrong: number = guestbook.services[0].contract.name\n`,
  )
  onTestFinished(() => consumer.write('wrong.ts', 'export {}\n'))
  await expect(typeCheck()).resolves.toContain('TS2322')
})

test('a system runs: a request is answered from its database, and its event arrives', { timeout: 120_000 }, async () => {
  const command = join(
    consumer.directory,
    'node_modules/@skerry/cli',
    consumer.packages.find(({ manifest }) => manifest.name === '@skerry/cli')?.manifest.bin?.['skerry'] ?? '',
  )
  const host = spawn(process.execPath, [command, 'start', '--system', 'system.ts', '--json'], {
    cwd: consumer.directory,
    env: { PATH: process.env['PATH'], PORT: '0', SKERRY_DATA: 'memory' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void host.kill('SIGKILL'))
  let log = ''
  host.stderr.on('data', (text: Buffer) => (log += text.toString()))
  const exited = once(host, 'exit')
  const [line] = (await Promise.race([once(createInterface(host.stdout), 'line'), exited.then(() => [])])) as [string?]
  if (line === undefined) throw new Error(`skerry start ended before it was ready:\n${log}`)
  const { gateway } = JSON.parse(line) as { gateway: string }

  const answer = await fetch(`${gateway}/guests`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"name":"Ann"}',
  })
  expect([answer.status, await answer.json()], log).toEqual([200, { name: 'Ann' }])
  await expect.poll(async () => (await fetch(`${gateway}/greetings`)).json(), { timeout: 60_000 }).toEqual(['Hello, Ann'])

  host.kill('SIGTERM')
  expect(await exited, log).toEqual([0, null])
})

async function typeCheck(): Promise<string> {
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  return run(process.execPath, [compiler, '-p', 'tsconfig.json'], { cwd: consumer.directory }).then(
    () => '',
    (error: { stdout: string }) => error.stdout,
  )
}

const system = `
import { contract, event, gateway, get, post, service, system, tables } from 'skerry'
import { z } from 'zod'

const Guest = z.object({ name: z.string().min(1) })

const guests = contract('guests', {
  version: '1.0.0',
  operations: { arrive: post('/guests', { input: Guest, output: Guest, public: true }) },
  events: { arrived: event(Guest, { key: 'name' }) },
})

const greetings = contract('greetings', {
  version: '1.0.0',
  operations: { list: get('/greetings', { input: z.object({}), output: z.array(z.string()), public: true }) },
})

const migrations = new URL('./migrations/', import.meta.url)
const guestService = service(guests, { migrations, tables: tables<{ guests: { name: string } }>() })
const greetingService = service(greetings, { uses: { guests }, migrations, tables: tables<{ guests: { name: string } }>() })

export const guestbook = system('guestbook', {
  services: [
    guestService.implement({
      arrive: ({ input, transaction }) =>
        transaction(async ({ db, emit }) => {
          await db.insertInto('guests').values(input).execute()
          emit.arrived(input)
          return input
        }),
    }),
    greetingService.implement(
      { list: async ({ db }) => (await db.selectFrom('guests').select('name').execute()).map(({ name }) => 'Hello, ' + name) },
      { on: [greetingService.on(guests.events.arrived, async ({ event, db }) => void (await db.insertInto('guests').values(event).execute()))] },
    ),
  ],
  gateway: gateway(),
})
`
