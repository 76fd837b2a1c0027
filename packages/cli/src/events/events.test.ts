import { expect, test } from 'vitest'
import { freePort } from '../../../../test/services/free-port.ts'
import { waitUntil } from '../../../../test/services/wait-until.ts'
import { createSharedDatabase, query } from '../../../../test/topologies/databases.ts'
import { request } from '../../../../test/topologies/request.ts'
import type { Project, RunningCommand } from '../fixtures/project.ts'
import { openProject } from '../fixtures/project.ts'
import { MAIL_SYSTEM } from './fixtures/mail-system.ts'

const WAIT_MS = 60_000
const NOBODYS = '019b76da-a800-7000-8000-000000000000'

type Environment = Readonly<Record<string, string>>
interface Letter {
  readonly id: string
  readonly key: string
  readonly errorHash: string
}

async function scene(environment: Environment | ((project: Project) => Environment)) {
  const held = new AsyncDisposableStack()
  const project = held.use(await openProject({ files: MAIL_SYSTEM }))
  const env = typeof environment === 'function' ? environment(project) : environment
  const events = (...parameters: string[]) => project.run(['events', ...parameters], env)
  const dead = (...parameters: string[]) => events('dead', ...parameters)
  const letters = async () => (JSON.parse((await dead('list', '--json')).stdout) as { letters: Letter[] }).letters
  let host: RunningCommand | undefined
  return {
    project,
    env,
    events,
    dead,
    letters,
    async start(more: Environment = {}): Promise<string> {
      host = await project.start(['start', '--json'], { ...env, ...more })
      const [line] = await host.printed(/^\{"event":"started".*$/m)
      return (JSON.parse(line) as { gateway: string }).gateway
    },
    async stop() {
      host!.signal('SIGTERM')
      await host!.ended
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

async function order(gateway: string, id: number, product: string): Promise<void> {
  expect((await request('POST', `${gateway}/orders`, { id, product })).status).toBe(204)
}

const mails = async (gateway: string) => (await request('GET', `${gateway}/mails`)).body

test('dead letters on PostgreSQL: listed, shown, replayed and discarded while hosts run', async () => {
  await using database = await createSharedDatabase()
  await using shop = await scene({ DATABASE_URL: database.url })
  expect(await shop.dead('list')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/has not been brought up to date[^]*skerry migrate/),
  })
  const gateway = await shop.start()
  expect(await shop.dead('list')).toMatchObject({ code: 0, stdout: 'No dead letters.\n', stderr: '' })
  for (const [id, product] of [
    [1, 'kettle'],
    [1, 'cup'],
    [2, 'teapot'],
    [3, 'pan'],
  ] as const)
    await order(gateway, id, product)
  await waitUntil('three orders are dead', WAIT_MS, async () => ((await shop.letters()).length === 3 ? true : undefined))
  const letters = await shop.letters()
  const idOf = (key: string): string => letters.find((letter) => letter.key === key)!.id

  const listed = await shop.dead('list', '--limit', '2')
  expect(listed.stdout).toMatch(/^[0-9a-f-]{36} {2}mails {2}orders\.orderPlaced\.v1 {2}key \d #1 {2}rejected/)
  expect(listed.stdout).toMatch(/2 dead letters\. There are more: raise --limit, or narrow it down\.\n$/)
  const shown = await shop.dead('show', idOf('2'))
  expect(shown.stdout).toMatch(/^error +orders\.checkOrder: The order was refused$/m)
  expect(shown.stdout).toContain('"product": "teapot"')
  const { services } = JSON.parse((await shop.events('status', '--json')).stdout) as { services: object[] }
  expect(services).toMatchObject([
    { service: 'orders', outbox: { count: 0 } },
    { service: 'mails', inbox: [{ early: { count: 1 } }], deadLetters: [{ topic: 'orders', cause: 'rejected', count: 3 }] },
  ])
  const status = await shop.events('status', '--service', 'mails')
  expect(status.stdout).toMatch(
    /^mails\n {2}outbox +0\n {2}waiting early +1, the oldest since .*\n {2}dead letters +orders, rejected: 3, the oldest since /,
  )

  await shop.project.remove('broken')
  const dry = await shop.dead('replay', idOf('1'), '--dry-run')
  expect(dry).toMatchObject({ code: 0, stdout: expect.stringMatching(/Would be replayed\.\n$/) })
  const replayed = await shop.dead('replay', idOf('1'), '--by', 'ann', '--note', 'repaired')
  expect(replayed).toMatchObject({ code: 0, stdout: expect.stringMatching(/Was replayed\.\n$/) })
  await waitUntil('the key has gone on', WAIT_MS, async () =>
    JSON.stringify(await mails(gateway)) === '["kettle","cup"]' ? true : undefined,
  )
  expect(await shop.dead('replay', idOf('1'))).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/There is no such dead letter[^]*What to do: /),
  })

  const unconfirmed = await shop.dead('discard', '--error', letters[0]!.errorHash)
  expect(unconfirmed).toMatchObject({ code: 2, stderr: expect.stringMatching(/would have discarded 2 dead letters[^]*--yes/) })
  expect(await shop.letters()).toHaveLength(2)
  const discarded = await shop.dead('discard', '--error', letters[0]!.errorHash, '--yes', '--json')
  const { discarded: ids } = JSON.parse(discarded.stdout) as { discarded: string[] }
  expect(ids.toSorted()).toEqual([idOf('2'), idOf('3')].toSorted())
  expect(await shop.dead('discard', '--all', '--yes')).toMatchObject({ code: 0, stdout: 'No dead letters were discarded.\n' })
  const audit = JSON.parse((await shop.dead('audit', '--json')).stdout) as { acts: object[] }
  expect(audit.acts).toHaveLength(3)
  expect(audit.acts[2]).toMatchObject({ action: 'replay', by: 'ann', note: 'repaired', letter: idOf('1') })
  expect(audit.acts[0]).toMatchObject({ action: 'discard', by: expect.stringMatching(/.@./) })
  await order(gateway, 2, 'jug')
  await waitUntil('the discarded key has gone on', WAIT_MS, async () =>
    JSON.stringify(await mails(gateway)) === '["kettle","cup","jug"]' ? true : undefined,
  )
  expect(await query(database.url, 'select 1 from mails.skerry_dead_letter')).toEqual([])
})

test('an embedded system that runs is asked through its admin API; without one the command says so', async () => {
  await using shop = await scene(({ directory }) => ({ SKERRY_DATA: `${directory}/data` }))
  const gateway = await shop.start({ ADMIN_PORT: '0' })
  await order(gateway, 1, 'kettle')
  const refused = await shop.dead('list')
  expect(refused).toMatchObject({ code: 1, stdout: '' })
  expect(refused.stderr).toMatch(
    /An embedded database belongs to one process at a time, and a host that runs is its process\.\n\nWhat to do: Start that host with ADMIN_PORT/,
  )
  await shop.stop()

  // A host that does not run leaves its database to the command.
  const before = await shop.letters()
  expect(before).toHaveLength(1)

  const port = await freePort()
  await shop.project.remove('broken')
  const again = await shop.start({ ADMIN_PORT: String(port) })
  for (const variables of [{ ADMIN_PORT: String(port) }, { ADMIN_URL: `http://127.0.0.1:${port}` }]) {
    const { code, stdout } = await shop.project.run(['events', 'dead', 'list'], { ...shop.env, ...variables })
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining(before[0]!.id) })
  }
  const replayed = await shop.project.run(['events', 'dead', 'replay', '--all'], { ...shop.env, ADMIN_PORT: String(port) })
  expect(replayed).toMatchObject({ code: 0, stdout: expect.stringMatching(/1 dead letter was replayed\.\n$/) })
  await waitUntil('it was handled', WAIT_MS, async () => (JSON.stringify(await mails(again)) === '["kettle"]' ? true : undefined))
  await shop.stop()
  const gone = await shop.project.run(['events', 'status'], { ADMIN_URL: `http://127.0.0.1:${port}` })
  expect(gone).toMatchObject({ code: 1, stderr: expect.stringMatching(/could not answer: .*ECONNREFUSED/) })
})

test('what cannot be meant: exit 2; data in memory, a URL that is none: said', async () => {
  await using shop = await scene({ DATABASE_URL: 'postgres://127.0.0.1:9/none' })
  for (const [parameters, what] of [
    [['replay'], 'It was not said which dead letters.'],
    [['discard', '7'], '"7" is not the id of a dead letter.'],
    [['discard', NOBODYS, '--all'], 'An id and --all at once.'],
    [['list', '--service', 'gateway'], 'The gateway has no database.'],
    [['list', '--service', 'maisl'], 'Use one of: orders, mails, gateway.'],
  ] as const)
    expect(await shop.dead(...parameters)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(what) })
  expect(await shop.project.run(['events', 'status'], { SKERRY_DATA: 'memory' })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('in the process of the running host and nowhere else'),
  })
  expect(await shop.project.run(['events', 'status'], { ADMIN_URL: '127.0.0.1' })).toMatchObject({
    code: 78,
    stderr: expect.stringContaining('ADMIN_URL is not a URL'),
  })
})
