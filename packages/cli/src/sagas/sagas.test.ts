import { expect, test } from 'vitest'
import { freePort } from '../../../../test/services/free-port.ts'
import { waitUntil } from '../../../../test/services/wait-until.ts'
import { createSharedDatabase } from '../../../../test/topologies/databases.ts'
import { request } from '../../../../test/topologies/request.ts'
import type { Project, RunningCommand } from '../fixtures/project.ts'
import { openProject } from '../fixtures/project.ts'
import { ORDER_SYSTEM } from './fixtures/order-system.ts'

const WAIT_MS = 60_000
const NOBODYS = '019b76da-a800-7000-8000-000000000000'

type Environment = Readonly<Record<string, string>>

async function scene(environment: Environment | ((project: Project) => Environment)) {
  const held = new AsyncDisposableStack()
  const project = held.use(await openProject({ files: ORDER_SYSTEM }))
  const env = typeof environment === 'function' ? environment(project) : environment
  const sagas = (...parameters: string[]) => project.run(['sagas', ...parameters], env)
  let host: RunningCommand | undefined
  return {
    project,
    env,
    sagas,
    async start(more: Environment = {}): Promise<string> {
      host = await project.start(['start', '--json'], { ...env, ...more })
      const [line] = await host.printed(/^\{"event":"started".*$/m)
      return (JSON.parse(line) as { gateway: string }).gateway
    },
    async stop() {
      host!.signal('SIGTERM')
      await host!.ended
    },
    is: (id: string, status: string) =>
      waitUntil(`the saga is ${status}`, WAIT_MS, async () => {
        const { stdout } = await sagas('list', '--status', status, '--json')
        return (JSON.parse(stdout) as { sagas: { id: string }[] }).sagas.some((saga) => saga.id === id) ? true : undefined
      }),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

async function order(gateway: string, id: number, wait = false): Promise<string> {
  const { status, body } = await request('POST', `${gateway}/orders`, { id, wait })
  expect(status).toBe(200)
  return (body as { saga: string }).saga
}

const ended = (gateway: string, what: string) =>
  waitUntil(what, WAIT_MS, async () => ((await request('GET', `${gateway}/ends`)).body as string[]).includes(what) || undefined)

test('sagas on PostgreSQL: listed, shown, retried, skipped and cancelled while hosts run', async () => {
  await using database = await createSharedDatabase()
  await using shop = await scene({ DATABASE_URL: database.url })
  expect(await shop.sagas('list')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/has not been brought up to date[^]*skerry migrate/),
  })
  const gateway = await shop.start()
  expect(await shop.sagas('list')).toMatchObject({ code: 0, stdout: 'No sagas.\n', stderr: '' })
  const skipped = await order(gateway, 1)
  await shop.is(skipped, 'parked')
  const retried = await order(gateway, 2)
  await shop.is(retried, 'parked')
  const waiting = await order(gateway, 3, true)
  await shop.is(waiting, 'waiting')

  const listed = await shop.sagas('list', '--limit', '2')
  expect(listed.stdout).toMatch(
    new RegExp(
      `^${waiting}  orders  hold v1  waiting at paid  \\d+ s\\n    waits for orders\\.orderPaid\\.v1 of key 3\\n${retried}  orders  checkout v1  parked at ship`,
    ),
  )
  const [, next] = /2 sagas\. There are more: go on with --after (\S+), or narrow it down\.\n$/.exec(listed.stdout)!
  const rest = await shop.sagas('list', '--after', next!, '--json')
  expect(JSON.parse(rest.stdout)).toMatchObject({ sagas: [{ id: skipped }], next: null })
  expect((await shop.sagas('list', '--service', 'orders', '--status', 'parked')).stdout).toMatch(/\n2 sagas\.\n$/)
  expect((await shop.sagas('list', '--name', 'hold')).stdout).toMatch(/\n1 saga\.\n$/)
  const shown = await shop.sagas('show', retried)
  expect(shown.stdout).toMatch(/^parked +The step "ship" behind the pivot was refused: .*on strike$/m)
  expect(shown.stdout).toMatch(
    /^ {2}1\. pay {2}remote, pivot {2}done\n {7}gave \{"paid":2\}\n {2}2\. ship {2}remote {2}running {2}1 failed\n {7}error /m,
  )

  for (const [parameters, what, help] of [
    [['cancel', retried], 'It is past its pivot, from where nothing is undone', 'reverse what must not stay'],
    [['skip', waiting], 'Only a step that parked its saga can be skipped, and this saga is waiting', 'have it undone with cancel'],
    [['retry', waiting], 'It waits for the event orders.orderPaid.v1 of key 3', 'cancel'],
    [['retry', NOBODYS], 'There is no such saga', 'skerry sagas list'],
  ] as const) {
    const { code, stdout, stderr } = await shop.sagas(...parameters)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(what)
    expect(stderr).toMatch(new RegExp(`^What to do: .*${help}`, 'm'))
  }

  const skip = () => shop.sagas('skip', skipped, '--output', '{"by":"hand"}', '--by', 'ann')
  const both = (await Promise.all([skip(), skip()])).toSorted((one, other) => one.code! - other.code!)
  expect(both).toMatchObject([
    { code: 0, stdout: expect.stringMatching(/Goes on behind that step\.\n$/) },
    { code: 1, stderr: expect.stringMatching(/Only a step that parked its saga can be skipped|It has ended: completed/) },
  ])
  await ended(gateway, 'order 1 shipped by hand')
  await shop.project.remove('broken')
  expect(await shop.sagas('retry', retried)).toMatchObject({ code: 0, stdout: expect.stringMatching(/running at ship.*\nGoes on\.\n$/) })
  await ended(gateway, 'order 2 shipped by van')
  const cancelled = await shop.sagas('cancel', waiting, '--reason', 'fraud', '--json')
  expect([cancelled.code, JSON.parse(cancelled.stdout)]).toMatchObject([0, { id: waiting, service: 'orders' }])
  await ended(gateway, 'order 3 given up: fraud')
  expect(JSON.parse((await shop.sagas('show', skipped, '--json')).stdout)).toMatchObject({
    status: 'completed',
    interventions: [{ action: 'skip', step: 'ship', by: 'ann' }],
  })
  expect(JSON.parse((await shop.sagas('show', waiting, '--json')).stdout)).toMatchObject({
    status: 'compensated',
    interventions: [{ action: 'cancel', by: expect.stringMatching(/.@./) }],
  })
})

test('an embedded system that runs is asked through its admin API, and goes on at once; one that does not is opened', async () => {
  await using shop = await scene(({ directory }) => ({ SKERRY_DATA: `${directory}/data` }))
  const port = String(await freePort())
  const gateway = await shop.start({ ADMIN_PORT: port })
  const id = await order(gateway, 1)
  const list = () => shop.project.run(['sagas', 'list', '--status', 'parked'], { ...shop.env, ADMIN_PORT: port })
  await waitUntil('it is parked', WAIT_MS, async () => (await list()).stdout.includes(id) || undefined)
  await shop.project.remove('broken')
  expect(await shop.project.run(['sagas', 'retry', id], { ADMIN_URL: `http://127.0.0.1:${port}` })).toMatchObject({ code: 0 })
  await ended(gateway, 'order 1 shipped by van')
  expect(await shop.sagas('list')).toMatchObject({ code: 1, stderr: expect.stringContaining('Start that host with ADMIN_PORT') })
  await shop.stop()
  expect((await shop.sagas('list')).stdout).toContain(`${id}  orders  checkout v1  completed`)
})

test('what cannot be meant: exit 2', async () => {
  await using shop = await scene({ DATABASE_URL: 'postgres://127.0.0.1:9/none' })
  for (const [parameters, what] of [
    [['retry', '7'], '"7" is not the id of a saga.'],
    [['cancel'], "missing required argument 'id'"],
    [['list', '--service', 'gateway'], 'The gateway has no database.'],
  ] as const)
    expect(await shop.sagas(...parameters)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(what) })
})
