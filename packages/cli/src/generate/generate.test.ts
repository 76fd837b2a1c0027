import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { openProject } from '../fixtures/project.ts'
import { SMALL_SYSTEM } from '../fixtures/small-system.ts'

const FILES = {
  ...SMALL_SYSTEM,
  'package.json': '{ "name": "people", "type": "module", "packageManager": "pnpm@12.21.0" }\n',
  'pnpm-lock.yaml': '',
}
const COMPOSE_FILES = [
  'docker-compose.yml',
  '.env.example',
  'users/Dockerfile',
  'users/Dockerfile.dockerignore',
  'gateway/Dockerfile',
  'gateway/nginx.conf',
  'gateway/openapi.json',
]

test('compose: all that it takes to run the system, made again when the system changes', async () => {
  await using project = await openProject({ files: FILES })
  const first = await project.run(['generate', 'compose'])
  expect(first).toMatchObject({ code: 0, stderr: '' })
  expect(first.stdout.trimEnd().split('\n').toSorted()).toEqual(COMPOSE_FILES.map((path) => `created   ${path}`).toSorted())
  expect(await project.read('docker-compose.yml')).toMatch(/^name: people\nservices:\n/m)
  expect(await project.read('users/Dockerfile')).toMatch(
    /^CMD \["node","node_modules\/@skerry\/cli\/\S+","start","users","--system","system\.ts"\]$/m,
  )
  expect(await project.read('gateway/nginx.conf')).toContain('/users')
  expect(await project.run(['generate', 'compose', '--check'])).toMatchObject({ code: 0, stdout: '' })

  await project.write('services/contract.ts', SMALL_SYSTEM['services/contract.ts']!.replaceAll("'/users", "'/people"))
  const stale = await project.run(['generate', 'compose', '--check'])
  expect(stale.code).toBe(1)
  expect(stale.stderr).toMatch(
    /Not what would be generated now: gateway\/nginx\.conf \(different\), gateway\/openapi\.json \(different\)\./,
  )
  expect(await project.read('gateway/nginx.conf')).not.toContain('/people')

  const second = await project.run(['generate', 'compose'])
  expect(second.stdout).toMatch(/^updated {3}gateway\/nginx\.conf$/m)
  expect(second.stdout).toMatch(/^unchanged docker-compose\.yml$/m)
  expect(await project.read('gateway/nginx.conf')).toContain('/people')
})

test('compose --gateway embedded --out: no nginx; paths that fit the other folder', async () => {
  await using project = await openProject({ files: FILES })
  expect(await project.run(['generate', 'compose', '--gateway', 'embedded', '--out', 'deploy/compose'])).toMatchObject({ code: 0 })
  expect(await project.read('deploy/compose/docker-compose.yml')).toMatch(
    /context: \.\.\/\.\.\n +dockerfile: deploy\/compose\/gateway\/Dockerfile/,
  )
  await expect(project.read('deploy/compose/gateway/nginx.conf')).rejects.toThrow('ENOENT')
  const outside = await project.run(['generate', 'compose', '--out', '..'])
  expect(outside).toMatchObject({ code: 2, stderr: expect.stringContaining('is not inside') })
})

test('what somebody has written by hand is not replaced, unless they say so', async () => {
  await using project = await openProject({ files: { ...FILES, 'docker-compose.yml': 'services: {}\n' } })
  const refused = await project.run(['generate', 'compose'])
  expect(refused).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('docker-compose.yml would be replaced') })
  expect(await project.read('docker-compose.yml')).toBe('services: {}\n')
  await expect(project.read('users/Dockerfile')).rejects.toThrow('ENOENT')
  expect(await project.run(['generate', 'compose', '--force'])).toMatchObject({ code: 0 })
  expect(await project.read('docker-compose.yml')).toMatch(/^name: people$/m)
})

test('docker: of the services that are named', async () => {
  await using project = await openProject({ files: FILES })
  const { stdout } = await project.run(['generate', 'docker', 'users'])
  expect(stdout).toBe('created   users/Dockerfile\ncreated   users/Dockerfile.dockerignore\n')
  expect((await project.run(['generate', 'docker'])).stdout).toMatch(/^created {3}gateway\/Dockerfile$/m)
  expect(await project.run(['generate', 'docker', 'oders'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Use one of: users, gateway.'),
  })
})

test('a workspace that no image can be made from: exit 78, with what is missing', async () => {
  await using project = await openProject({ files: SMALL_SYSTEM })
  expect(await project.run(['generate', 'docker'])).toMatchObject({
    code: 78,
    stderr: expect.stringMatching(/No image can be built from .*: there is no package with a name/),
  })
})

test('the command itself must be in the image', async () => {
  await using project = await openProject({ files: FILES, packages: ['skerry', 'zod'] })
  expect(await project.run(['generate', 'docker'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('Install it there with: pnpm add @skerry/cli'),
  })
})

test('nginx: with the addresses it is given; without, exit 2 and how to give them', async () => {
  await using project = await openProject()
  const { code, stdout } = await project.run([
    'generate',
    'nginx',
    '--out',
    'nginx',
    '--listen',
    '127.0.0.1:8081',
    '--upstream',
    'users=10.0.0.7:8080,10.0.0.8:8080',
  ])
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'created   nginx/nginx.conf\ncreated   nginx/openapi.json\n' })
  const configuration = await project.read('nginx/nginx.conf')
  for (const line of ['server 10.0.0.7:8080 ', 'server 10.0.0.8:8080 ', 'listen 127.0.0.1:8081']) expect(configuration).toContain(line)
  for (const parameters of [
    [],
    ['--upstream', 'users'],
    ['--upstream', 'users=nowhere'],
    ['--upstream', 'oders=10.0.0.7:8080', 'users=10.0.0.7:8080'],
  ])
    expect(await project.run(['generate', 'nginx', '--out', 'nginx', ...parameters])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^What to do: .*--upstream users=10\.0\.0\.7:8080$/m),
    })
})

test('the files of the example in this repository are what the command writes', async () => {
  await using project = await openProject({ files: {} })
  const system = fileURLToPath(new URL('../../../../examples/ecommerce/system.ts', import.meta.url))
  expect(await project.run(['generate', 'compose', '--check', '--system', system])).toMatchObject({ code: 0, stderr: '' })
})
