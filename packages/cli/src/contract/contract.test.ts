/** Releases and the check that holds code against them, as a user meets them. */
import { expect, test } from 'vitest'
import { openProject, type Project } from '../fixtures/project.ts'

interface Checked {
  readonly fine: boolean
  readonly services: readonly {
    readonly service: string
    readonly needs: string
    readonly refusals: readonly string[]
    readonly changes: readonly {
      readonly kind: string
      readonly rule: string
      readonly where: string
      readonly path: string
      readonly breaks: readonly string[]
      readonly since: string
    }[]
  }[]
}

const CONTRACT = 'services/contract.ts'

async function edit(project: Project, path: string, ...changes: readonly (readonly [from: string, to: string])[]): Promise<void> {
  let text = await project.read(path)
  for (const [from, to] of changes) {
    expect(text).toContain(from)
    text = text.replace(from, to)
  }
  await project.write(path, text)
}

async function released(): Promise<Project> {
  const project = await openProject({ packages: ['skerry', 'zod'] })
  expect(await project.run(['contract', 'release'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('released contracts/users/1.0.0.json'),
  })
  return project
}

async function checked(project: Project): Promise<{ readonly code: number | null; readonly users: Checked['services'][number] }> {
  const { code, stdout } = await project.run(['check', '--json'])
  const { fine, services } = JSON.parse(stdout) as Checked
  expect(fine).toBe(code === 0)
  return { code, users: services[0]! }
}

test('what is as it was released is fine', async () => {
  await using project = await released()
  expect(await project.run(['check'])).toMatchObject({ code: 0, stdout: expect.stringContaining('users 1.0.0  as released') })
  expect(await project.run(['contract', 'release'])).toMatchObject({ code: 0, stdout: expect.stringContaining('Nothing to release') })
})

test('without a release there is nothing to hold the code against, and that is not fine', async () => {
  await using project = await openProject({ packages: ['skerry', 'zod'] })
  expect(await project.run(['check'])).toMatchObject({ code: 1, stdout: expect.stringContaining('skerry contract release users') })
})

test('what breaks callers is refused: where, by which rule, whom, and what to do instead', async () => {
  await using project = await released()
  await edit(project, CONTRACT, ['name: z.string().min(1) })', 'name: z.string().min(1), email: z.email() })'])
  const { code, stdout } = await project.run(['check'])
  expect(code).toBe(1)
  for (const part of [
    'operations.createUser',
    '/email',
    'input-required',
    'whom: clients outside (since 1.0.0)',
    'instead: Make the field optional',
    'raise its version to 2.0.0',
  ])
    expect(stdout).toContain(part)
  const { code: releasing, stderr } = await project.run(['contract', 'release'])
  expect({ releasing, stderr }).toMatchObject({ releasing: 1, stderr: expect.stringContaining('input-required') })
})

test('a new major version may break, and then says so', async () => {
  await using project = await released()
  await edit(
    project,
    CONTRACT,
    ['name: z.string().min(1) })', 'name: z.string().min(1), email: z.email() })'],
    ["version: '1.0.0'", "version: '2.0.0'"],
  )
  expect(await project.run(['check'])).toMatchObject({ code: 0, stdout: expect.stringContaining('new major version says so') })
  expect((await project.run(['contract', 'release'])).code).toBe(0)
  expect(JSON.parse(await project.read('contracts/users/2.0.0.json'))).toMatchObject({ contract: 'users', version: '2.0.0' })
})

test('what adds something needs a minor version, and is told which', async () => {
  await using project = await released()
  await edit(project, CONTRACT, ['name: z.string().min(1) })', 'name: z.string().min(1), nickname: z.string().optional() })'])
  const before = await checked(project)
  expect(before).toMatchObject({ code: 1, users: { needs: '1.1.0', refusals: ['is still at 1.0.0: raise its version to 1.1.0'] } })
  expect(before.users.changes.every(({ kind }) => kind === 'compatible')).toBe(true)
  await edit(project, CONTRACT, ["version: '1.0.0'", "version: '1.1.0'"])
  expect(await checked(project)).toMatchObject({ code: 0, users: { refusals: [] } })
})

test('a consumer that was released with an earlier version is not forgotten', async () => {
  await using project = await released()
  await project.write(
    'services/greeter.ts',
    `import { contract, get, service } from 'skerry'
     import { z } from 'zod'
     import { users } from './contract.ts'
     const greeter = contract('greeter', { version: '1.0.0', operations: { greet: get('/greet', { output: z.object({ text: z.string() }) }) } })
     export default service(greeter, { uses: { users } }).implement({ greet: async ({ call }) => ({ text: String((await call.users.countUsers({})).count) }) })`,
  )
  await edit(
    project,
    'system.ts',
    ['import users', "import greeter from './services/greeter.ts'\nimport users"],
    ['services: [users]', 'services: [users, greeter]'],
  )
  expect((await project.run(['contract', 'release'])).code).toBe(0)
  // The count goes in two steps, each of which is announced; whoever was released with the first version knows neither.
  await edit(project, CONTRACT, ['count: z.int()', 'count: z.int(), total: z.int()'], ["version: '1.0.0'", "version: '1.1.0'"])
  await edit(project, 'services/users.ts', ['return { count:', 'return { total: 0, count:'])
  expect((await project.run(['contract', 'release', 'users'])).code).toBe(0)
  await edit(project, CONTRACT, ["countUsers: get('/users-count', { output: z.object({ count: z.int(), total: z.int() }) }),", ''])
  await edit(project, 'services/users.ts', ['async countUsers', 'async unused'])
  const text = await project.read('services/users.ts')
  await project.write('services/users.ts', text.slice(0, text.indexOf('  async unused')) + '})\n')
  const { users } = await checked(project)
  expect(users.changes).toContainEqual(expect.objectContaining({ rule: 'operation-removed', breaks: ['greeter'] }))
})

test('a migration that would break the version before is refused, with the way round', async () => {
  await using project = await released()
  await project.write('services/migrations/0002-rename.sql', 'alter table users rename column name to full_name;\n')
  const { code, stdout } = await project.run(['check'])
  expect(code).toBe(1)
  for (const part of [
    'migrations.0002-rename.sql',
    'migration-rename',
    'Add the new one beside the old',
    '-- skerry:allow migration-rename: <why>',
  ])
    expect(stdout).toContain(part)
  await project.write(
    'services/migrations/0002-rename.sql',
    '-- skerry:allow migration-rename: only one instance ever runs\nalter table users rename column name to full_name;\n',
  )
  // That it exists must be known to what comes after it.
  expect(await checked(project)).toMatchObject({ code: 1, users: { refusals: ['is still at 1.0.0: raise its version to 1.0.1'] } })
  await edit(project, CONTRACT, ["version: '1.0.0'", "version: '1.0.1'"])
  expect((await project.run(['check'])).code).toBe(0)
})

test('a migration that was released is not changed', async () => {
  await using project = await released()
  await project.write('services/migrations/0001-create-users.sql', 'create table users (id int primary key, name text);\n')
  expect(await checked(project)).toMatchObject({
    code: 1,
    users: { changes: [{ rule: 'migration-changed', where: 'migrations.0001-create-users.sql' }] },
  })
})

test('a release that is not one is named, and left alone', async () => {
  await using project = await released()
  await project.write('contracts/users/1.0.0.json', '{ "contract": "users" }')
  expect(await project.run(['check'])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/1\.0\.0\.json is not the release of users 1\.0\.0: it has no operations/),
  })
  await project.write('contracts/users/1.0.0.json', '<<<<<<< HEAD')
  expect(await project.run(['check'])).toMatchObject({ code: 1, stderr: expect.stringContaining('does not contain a JSON object') })
})

test('all is released or nothing', async () => {
  await using project = await openProject({ packages: ['skerry', 'zod'] })
  await project.write('contracts/users', 'in the way')
  const { code, stderr } = await project.run(['contract', 'release'])
  expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('contracts/users') })
})

test('what cannot be shown may be accepted, with a reason', async () => {
  await using project = await openProject({ packages: ['skerry', 'zod'] })
  await edit(project, CONTRACT, ['name: z.string().min(1) })', 'name: z.string().regex(/^[a-z]+$/) })'])
  expect((await project.run(['contract', 'release'])).code).toBe(0)
  await edit(project, CONTRACT, ['/^[a-z]+$/', '/^[a-y]+z?$|^[a-z]+$/'], ["version: '1.0.0'", "version: '1.1.0'"])
  const { code, stdout } = await project.run(['check'])
  expect({ code, stdout }).toMatchObject({ code: 1, stdout: expect.stringContaining('may break') })
  const offered = [...stdout.matchAll(/in accepted\.json: (\{.*\})/g)].map(([, json]) => JSON.parse(json!) as object)
  expect(offered.length).toBeGreaterThan(0)
  await project.write('contracts/accepted.json', JSON.stringify(offered))
  expect(await project.run(['check'])).toMatchObject({ code: 1, stderr: expect.stringContaining('each needs a reason') })
  await project.write('contracts/accepted.json', JSON.stringify(offered.map((one) => ({ ...one, why: 'the same words in another way' }))))
  expect(await project.run(['check'])).toMatchObject({ code: 0, stdout: expect.stringContaining('because: the same words in another way') })
})
