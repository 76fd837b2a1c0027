import { expect, test } from 'vitest'
import { waitUntil } from '../../../test/services/wait-until.ts'
import { createSharedDatabase } from '../../../test/topologies/databases.ts'
import { EVENT_SOURCED_SYSTEM } from './fixtures/event-sourced-system.ts'
import { openProject } from './fixtures/project.ts'

const PATIENCE_MS = 60_000

interface Status {
  readonly generation: number
  readonly status: string
  readonly position: number
  readonly lag: number
  readonly failure?: { readonly position: number; readonly stopped: boolean }
}

async function scene() {
  const held = new AsyncDisposableStack()
  const database = held.use(await createSharedDatabase())
  const project = held.use(await openProject({ files: EVENT_SOURCED_SYSTEM }))
  const environment = { DATABASE_URL: database.url }
  const projections = (...parameters: string[]) => project.run(['projections', ...parameters], environment)
  return {
    projections,
    start: () => project.start(['start', '--json'], environment),
    async until(what: string, holds: (statuses: readonly Status[]) => boolean): Promise<void> {
      await waitUntil(what, PATIENCE_MS, async () => {
        const { stdout } = await projections('list', '--json')
        return holds((JSON.parse(stdout) as { projections: Status[] }).projections) || undefined
      })
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

test('a projection that has stopped is seen, let go on, and built anew, while its host runs', async () => {
  await using it = await scene()
  expect(await it.projections('list')).toMatchObject({ code: 1, stderr: expect.stringContaining('skerry migrate') })
  const host = await it.start()
  const [line] = await host.printed(/^\{"event":"started".*$/m)
  const { gateway } = JSON.parse(line) as { gateway: string }
  for (const id of ['cup', 'poison', 'kettle']) {
    const answer = await fetch(`${gateway}/happenings`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id }),
    })
    expect(answer.status).toBe(200)
  }
  const count = async (): Promise<unknown> => (await fetch(`${gateway}/count`)).json()

  await it.until('it has stopped', ([status]) => status?.failure?.stopped === true)
  expect((await it.projections('list')).stdout).toBe(
    'things: seen live is at 1, 2 behind (version 1, generation 1), stopped at 2: cannot count poison\n',
  )
  expect(await it.projections('skip', 'things', 'seen', '3', '--reason', 'x')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('does not fail at 3'),
  })
  expect(await it.projections('skip', 'things', 'seen', '2', '--reason', 'ticket 12', '--json')).toMatchObject({
    code: 0,
    stdout: '{"event":"skipped","service":"things","name":"seen","position":2}\n',
  })
  await it.until('it has gone on', ([status]) => status?.lag === 0 && status.failure === undefined)
  expect(await count()).toEqual({ count: 2 })

  expect(await it.projections('rebuild', 'things', 'seen')).toMatchObject({ code: 0, stdout: expect.stringContaining('generation 2') })
  await it.until('the new one answers', ([status]) => status?.generation === 2 && status.status === 'live')
  expect(await count()).toEqual({ count: 2 })
  host.signal('SIGTERM')
  expect(await host.ended).toMatchObject({ code: 0 })
})

test('names that do not exist, and what is not a position, are mistakes in how the command was written', async () => {
  await using it = await scene()
  expect(await it.projections('rebuild', 'things', 'saw')).toMatchObject({ code: 2, stderr: expect.stringContaining('Use one of: seen.') })
  expect(await it.projections('rebuild', 'thing', 'seen')).toMatchObject({ code: 2, stderr: expect.stringContaining('Use one of: things') })
  expect(await it.projections('skip', 'things', 'seen', 'two', '--reason', 'x')).toMatchObject({ code: 2 })
  expect(await it.projections('skip', 'things', 'seen', '2')).toMatchObject({ code: 2, stderr: expect.stringContaining('--reason') })
})
