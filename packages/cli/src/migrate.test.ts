import { expect, test } from 'vitest'
import { createSharedDatabase, query } from '../../../test/topologies/databases.ts'
import { openProject } from './fixtures/project.ts'
import { SMALL_SYSTEM } from './fixtures/small-system.ts'

const SECOND = 'services/migrations/0002-add-email.sql'
const THIRD = 'services/migrations/0003-add-age.sql'

async function projectOnPostgres() {
  const held = new AsyncDisposableStack()
  const database = held.use(await createSharedDatabase())
  const project = held.use(await openProject())
  return {
    project,
    url: database.url,
    migrate: (...parameters: string[]) => project.run(['migrate', ...parameters], { DATABASE_URL: database.url }),
    columns: async () =>
      (
        await query(
          database.url,
          `select column_name from information_schema.columns where table_schema = 'users' and table_name = 'users' order by 1`,
        )
      ).map((row) => row['column_name']),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

test('says what it has applied; a second time there is nothing to do', async () => {
  await using scene = await projectOnPostgres()
  const first = await scene.migrate()
  expect(first).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^users: applied skerry\/\S+\n(users: applied skerry\/\S+\n)*users: applied 0001-create-users\.sql\n$/),
  })
  expect(await scene.columns()).toEqual(['id', 'name'])
  expect(await scene.migrate()).toMatchObject({ code: 0, stdout: 'users: up to date\n' })

  await scene.project.write(SECOND, 'alter table users add column email text')
  expect(await scene.migrate('users')).toMatchObject({ code: 0, stdout: 'users: applied 0002-add-email.sql\n' })
  expect(await scene.columns()).toEqual(['email', 'id', 'name'])
})

test('--json: one line, whether it went well or not', async () => {
  await using scene = await projectOnPostgres()
  const first = await scene.migrate('--json')
  const { event, applied } = JSON.parse(first.stdout) as { event: string; applied: Record<string, string[]> }
  expect({ event, services: Object.keys(applied), last: applied['users']?.at(-1) }).toEqual({
    event: 'migrated',
    services: ['users'],
    last: '0001-create-users.sql',
  })
  expect(JSON.parse((await scene.migrate('--json')).stdout)).toEqual({ event: 'migrated', applied: { users: [] } })
  await scene.project.write(SECOND, 'alter tabel users')
  const failed = await scene.migrate('--json')
  expect(failed.code).toBe(1)
  expect(JSON.parse(failed.stdout)).toEqual({ event: 'failed', applied: { users: [] } })
})

test('one that fails: those before it stay, nothing of it does, and it is tried again when it is corrected', async () => {
  await using scene = await projectOnPostgres()
  await scene.project.write(SECOND, 'alter table users add column email text;\n')
  await scene.project.write(THIRD, 'alter table users add column age int;\nalter table users add column nosuchtype nosuchtype;\n')
  const failed = await scene.migrate()
  expect(failed.code).toBe(1)
  expect(failed.stdout).toMatch(/users: applied 0002-add-email\.sql\n$/)
  expect(failed.stderr).toMatch(/error: users: 0003-add-age\.sql:2: type "nosuchtype" does not exist/)
  expect(failed.stderr).toMatch(/^What to do: /m)
  expect(await scene.columns()).toEqual(['email', 'id', 'name'])

  await scene.project.write(THIRD, 'alter table users add column age int;\n')
  expect(await scene.migrate()).toMatchObject({ code: 0, stdout: 'users: applied 0003-add-age.sql\n' })
  expect(await scene.columns()).toEqual(['age', 'email', 'id', 'name'])
})

test('one that was changed after it had been applied is refused', async () => {
  await using scene = await projectOnPostgres()
  await scene.migrate()
  await scene.project.write(
    'services/migrations/0001-create-users.sql',
    'create table users (id int primary key, name text, nickname text);',
  )
  const { code, stdout, stderr } = await scene.migrate()
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(/error: users: 0001-create-users\.sql was changed after it had been applied/)
  expect(stderr).toMatch(/^What to do: Restore the file as it was applied/m)
  expect(await scene.columns()).toEqual(['id', 'name'])
})

test('needs to know of databases alone: neither peers nor brokers nor ports', async () => {
  await using scene = await projectOnPostgres()
  await scene.project.write(
    'services/fans.ts',
    `import { contract, post, service } from 'skerry'
     import { z } from 'zod'
     import { users } from './contract.ts'
     const fans = contract('fans', { version: '1.0.0', operations: { join: post('/fans', { input: z.object({}) }) } })
     export default service(fans, { uses: { users }, migrations: new URL('./migrations/', import.meta.url), config: z.object({ FAN_KEY: z.string() }) })
       .implement({ async join() {} })`,
  )
  await scene.project.write(
    'system.ts',
    SMALL_SYSTEM['system.ts']!.replace('[users]', '[users, fans]').replace('\n', `\nimport fans from './services/fans.ts'\n`),
  )
  const { stderr } = await scene.project.run(['start', 'fans'], { DATABASE_URL: scene.url })
  expect(stderr).toMatch(/USERS_URL is missing/)
  expect(stderr).toMatch(/FAN_KEY/)
  const { code, stdout } = await scene.project.run(['migrate', 'fans'], { DATABASE_URL: scene.url, PORT: 'no port' })
  expect(code).toBe(0)
  expect(stdout).toMatch(/fans: applied 0001-create-users\.sql\n$/)
  expect(stdout).not.toMatch(/^users:/m)
})

test('a service that does not exist, a URL that is none: exit 2 and 78', async () => {
  await using project = await openProject()
  expect(await project.run(['migrate', 'oders'])).toMatchObject({ code: 2, stderr: expect.stringContaining('Use one of: users, gateway.') })
  expect(await project.run(['migrate'], { USERS_DATABASE_URL: 'users' })).toMatchObject({
    code: 78,
    stderr: expect.stringContaining('USERS_DATABASE_URL is not a URL'),
  })
})
