import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../../../../test/services/wait-until.ts'
import type { Answer } from '../../../../test/topologies/request.ts'
import { request } from '../../../../test/topologies/request.ts'
import type { Project, RunningCommand } from '../fixtures/project.ts'
import { openProject } from '../fixtures/project.ts'
import { PLAIN_SYSTEM } from '../fixtures/small-system.ts'

/** Starts it and waits for the table; resolves with where the gateway is. */
async function develop(project: Project, environment: Readonly<Record<string, string>> = {}, ...parameters: string[]) {
  const command = await project.start(['dev', ...parameters], environment)
  const [, gateway] = await command.printed(/^ {2}gateway +(\S+)$/m)
  return { command, gateway: gateway! }
}

/** A request on a connection of its own. */
const ask = (url: string): Promise<Answer> => request('GET', url, undefined, { connection: 'close' })

async function answersWith(url: string, expected: unknown): Promise<void> {
  let last: unknown
  await waitUntil(
    `${url} answers ${JSON.stringify(expected)}`,
    60_000,
    async () => {
      last = (await ask(url)).body
      return JSON.stringify(last) === JSON.stringify(expected) ? true : undefined
    },
    async () => `It answered ${JSON.stringify(last)}`,
  )
}

/** The process that runs the services. */
async function childOf({ pid }: RunningCommand): Promise<number> {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ')
  expect(children).toHaveLength(1)
  return Number(children[0])
}

async function isGone(pid: number): Promise<void> {
  await waitUntil(`process ${pid} is gone`, 30_000, async () => {
    try {
      process.kill(pid, 0)
      return undefined
    } catch {
      return true
    }
  })
}

describe('a change', () => {
  test('is served at the same address with the data there was; Ctrl-C ends in order', async () => {
    await using project = await openProject()
    const { command, gateway } = await develop(project, { SKERRY_DATA: 'data' })
    expect((await request('POST', `${gateway}/users`, { id: 1, name: 'Ann' })).status).toBe(200)
    const service = await project.read('services/users.ts')
    await project.write('services/users.ts', service.replace('name: user.name }', 'name: user.name.toUpperCase() }'))
    await answersWith(`${gateway}/users/1`, { id: 1, name: 'ANN' })
    await command.printed(/^services\/users\.ts changed\n(.*\n)*reloaded in \d/m)

    const child = await childOf(command)
    command.signal('SIGINT')
    expect(await command.ended).toMatchObject({ code: 0, stderr: '' })
    await isGone(child)
    expect(await project.run(['migrate'], { SKERRY_DATA: 'data' })).toMatchObject({ code: 0, stdout: 'users: up to date\n' })
  })

  test('of a migration is applied', async () => {
    await using project = await openProject()
    const { command } = await develop(project, { SKERRY_DATA: 'data' })
    await project.write('services/migrations/0002-add-email.sql', 'alter table users add column email text;')
    await command.printed(/migrated users: 0002-add-email\.sql\n(.*\n)*reloaded/)
  })

  test('of what is imported from outside the folder counts, of code that nothing imports does not', async () => {
    const { 'system.ts': system, ...rest } = PLAIN_SYSTEM
    await using project = await openProject({ files: { ...rest, 'app/system.ts': system!.replace('./answer.ts', '../answer.ts') } })
    const { command, gateway } = await develop(project, {}, '--system', 'app/system.ts')
    await project.write('unused.ts', 'export {}\n')
    await project.write('app/unused.ts', 'export {}\n')
    await project.write('answer.ts', 'export const answer: number = 2\n')
    await answersWith(`${gateway}/answer`, { answer: 2 })
    // Editors write beside and rename; and a folder that comes later is watched too.
    await project.write('app/numbers/two.ts', 'export const two = 22\n')
    await project.write('answer.ts', "import { two } from './app/numbers/two.ts'\nexport const answer: number = two\n")
    await answersWith(`${gateway}/answer`, { answer: 22 })
    await project.replace('app/numbers/two.ts', 'export const two = 222\n')
    await answersWith(`${gateway}/answer`, { answer: 222 })
    expect(await command.stdout()).not.toMatch(/unused/)
  })

  test('refuses nobody: requests made while it reloads wait for the answer', async () => {
    await using project = await openProject({ files: PLAIN_SYSTEM })
    const { command, gateway } = await develop(project)
    const refusals: unknown[] = []
    const reloaded = new AbortController()
    const asking = Array.from({ length: 4 }, async () => {
      while (!reloaded.signal.aborted) {
        const { status, body } = await ask(`${gateway}/answer`)
        if (status !== 200) refusals.push(body)
      }
    })
    for (let answer = 2; answer <= 4; answer++) {
      await project.write('answer.ts', `export const answer: number = ${answer}\n`)
      await answersWith(`${gateway}/answer`, { answer })
    }
    reloaded.abort()
    await Promise.all(asking)
    expect(refusals).toEqual([])
    command.signal('SIGTERM')
    expect(await command.ended).toMatchObject({ code: 0 })
  })

  test('lets a request in progress finish', async () => {
    await using project = await openProject({ files: PLAIN_SYSTEM })
    const { command, gateway } = await develop(project, { SKERRY_GRACE_MS: '60000' })
    const held = request('POST', `${gateway}/hold`, { until: join(project.directory, 'let-go') })
    await command.printed(/plain: holding/)
    await project.write('answer.ts', 'export const answer: number = 2\n')
    await command.printed(/answer\.ts changed/)
    await project.write('let-go', '')
    expect((await held).body).toEqual({ held: true })
    await answersWith(`${gateway}/answer`, { answer: 2 })
  })
})

describe('a mistake', () => {
  test('in the syntax leaves the version from before at work, until it is corrected', async () => {
    await using project = await openProject({ files: PLAIN_SYSTEM })
    const { command, gateway } = await develop(project)
    await project.write('answer.ts', 'export const answer: = 3\n')
    await command.printed(/answer\.ts:1\nexport const answer: = 3/)
    await command.printed(/The version from before keeps running\. Waiting for a change\./)
    expect((await ask(`${gateway}/answer`)).body).toEqual({ answer: 1 })
    await project.write('answer.ts', 'export const answer: number = 3\n')
    await answersWith(`${gateway}/answer`, { answer: 3 })
  })

  test('in an import is over when the missing file appears', async () => {
    await using project = await openProject({ files: PLAIN_SYSTEM })
    const { command, gateway } = await develop(project)
    await project.write('answer.ts', "export { answer } from './later/answer.ts'\n")
    await command.printed(/Cannot find module .*later\/answer\.ts/)
    await project.write('later/answer.ts', 'export const answer: number = 4\n')
    await answersWith(`${gateway}/answer`, { answer: 4 })
  })

  test('in what starts makes the gateway say so, until it is corrected', async () => {
    await using project = await openProject()
    const { command, gateway } = await develop(project)
    await project.write('services/migrations/0002-oops.sql', 'create tabel oops ()')
    await command.printed(/error: users: 0002-oops\.sql:1: syntax error/)
    await command.printed(/^Waiting for a change\.$/m)
    const refused = await request('POST', `${gateway}/users`, { id: 1, name: 'Ann' })
    expect(refused).toMatchObject({
      status: 503,
      body: { code: 'unavailable', detail: expect.stringMatching(/could not be started: users: 0002-oops\.sql/) },
    })
    expect(refused.headers.get('content-type')).toBe('application/problem+json')
    await project.remove('services/migrations/0002-oops.sql')
    await command.printed(/reloaded in/)
    expect((await ask(`${gateway}/users/1`)).body).toMatchObject({ code: 'userNotFound' })
  })

  test('that is there from the beginning is shown, and the correction starts it', async () => {
    await using project = await openProject({ files: { ...PLAIN_SYSTEM, 'answer.ts': 'export const anwser = 1\n' } })
    const command = await project.start(['dev'])
    await command.printed(/does not provide an export named 'answer'/)
    await command.printed(/^Waiting for a change\.$/m)
    await project.write('answer.ts', 'export const answer = 5\n')
    const [, gateway] = await command.printed(/^ {2}gateway +(\S+)$/m)
    expect((await ask(`${gateway}/answer`)).body).toEqual({ answer: 5 })
  })
})

describe('what no edit can cure ends it', () => {
  test('wrong configuration: exit 78', async () => {
    await using project = await openProject({ files: PLAIN_SYSTEM })
    const { code, stderr } = await project.run(['dev'], { PORT: 'none', LOG_LEVEL: 'loud' })
    expect(code).toBe(78)
    expect(stderr).toMatch(/The configuration has 2 mistakes:/)
  })

  test('a port in use: exit 1', async () => {
    await using project = await openProject({ files: PLAIN_SYSTEM })
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const { code, stderr } = await project.run(['dev'], { PORT: String(port) })
    other.close()
    expect(code).toBe(1)
    expect(stderr).toMatch(new RegExp(`^error: Port ${port} on 127\\.0\\.0\\.1 is in use\\.\n\nWhat to do: `, 'm'))
  })

  test('data that another process has open: exit 1', async () => {
    await using project = await openProject()
    const { command } = await develop(project, { SKERRY_DATA: 'data' })
    const { code, stderr } = await project.run(['dev'], { SKERRY_DATA: 'data' })
    expect(code).toBe(1)
    expect(stderr).toContain(`Process ${await childOf(command)} `)
  })

  test('no system file: exit 2', async () => {
    await using project = await openProject({ files: {} })
    expect(await project.run(['dev'])).toMatchObject({ code: 2, stderr: expect.stringContaining('There is no system here') })
  })
})

describe('processes', () => {
  test('a second Ctrl-C does not wait, and leaves nothing behind', async () => {
    await using project = await openProject({ files: PLAIN_SYSTEM })
    const { command, gateway } = await develop(project, { SKERRY_GRACE_MS: '600000' })
    const child = await childOf(command)
    const held = request('POST', `${gateway}/hold`, { until: join(project.directory, 'never') }).catch(() => 'cut off')
    await command.printed(/plain: holding/)
    command.signal('SIGINT')
    await command.printed(/stopping on SIGINT/)
    await expect(ask(`${gateway}/answer`)).rejects.toThrow('fetch failed')
    command.signal('SIGINT')
    expect(await command.ended).toMatchObject({ code: 130 })
    expect(await held).toBe('cut off')
    await isGone(child)
  })

  test('when the command is killed, what runs the services ends too', async () => {
    await using project = await openProject({ files: PLAIN_SYSTEM })
    const { command } = await develop(project)
    const child = await childOf(command)
    command.signal('SIGKILL')
    await command.ended
    await isGone(child)
  })

  test('when what runs the services dies, it is said, and the next change starts it again', async () => {
    await using project = await openProject({ files: PLAIN_SYSTEM })
    const { command, gateway } = await develop(project)
    process.kill(await childOf(command), 'SIGKILL')
    await command.printed(/has ended \(SIGKILL\)\. Waiting for a change\./)
    expect(await ask(`${gateway}/answer`)).toMatchObject({ status: 503, body: { detail: expect.stringContaining('has ended (SIGKILL)') } })
    await project.write('answer.ts', 'export const answer: number = 6\n')
    await answersWith(`${gateway}/answer`, { answer: 6 })
  })
})
