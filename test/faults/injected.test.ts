/** Faults that are put into a running host by the command, as a person does it. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import type { RunningHost } from '../topologies/host.ts'
import { startHost } from '../topologies/host.ts'
import { request } from '../topologies/request.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

interface Said {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function faults(host: RunningHost, ...parameters: readonly string[]): Promise<Said> {
  const command = [`${root}packages/cli/src/main.ts`, 'faults', ...parameters, '--system', `${root}examples/ecommerce/system.ts`]
  return new Promise((resolve) => {
    const child = execFile(process.execPath, command, { env: { ...process.env, ADMIN_URL: host.adminUrl } }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? 1, stdout, stderr }),
    )
  })
}

test('a person makes a service fail, sees it, ends it, and kills the process', async () => {
  const host = await startHost({ system: 'examples/ecommerce/system.ts', env: { ADMIN_PORT: '0' } })
  onTestFinished(async () => host[Symbol.asyncDispose]())
  await request('POST', `${host.gatewayUrl}/users`, { id: 1, name: 'Ann', email: 'ann@example.com' })

  const injected = await faults(
    host,
    'inject',
    'user-service',
    'error',
    '--of',
    'getUser',
    '--where',
    'id=1',
    '--problem',
    'overloaded',
    '--json',
  )
  expect(injected).toMatchObject({ code: 0, stderr: '' })
  const { id } = JSON.parse(injected.stdout) as { id: string }
  expect(await request('GET', `${host.gatewayUrl}/users/1`)).toMatchObject({ status: 503 })
  expect(await request('GET', `${host.gatewayUrl}/users/2`)).toMatchObject({ status: 404 })
  const listed = await faults(host, 'list')
  expect(listed.stdout).toMatch(new RegExp(`^${id}  user-service getUser: error overloaded where id is 1, until .*, met [1-9] times`))
  expect(await faults(host, 'remove', id)).toMatchObject({ code: 0, stdout: expect.stringContaining(`ended ${id}`) })
  expect(await request('GET', `${host.gatewayUrl}/users/1`)).toMatchObject({ status: 200 })

  expect(await faults(host, 'inject', 'user-service', 'error', '--of', 'nothing')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('It has: createUser, getUser'),
  })
  expect(await faults(host, 'inject', 'user-service', 'explode')).toMatchObject({ code: 2 })
  expect(await faults(host, 'inject', 'user-service', 'kill', '--of', 'getUser')).toMatchObject({ code: 0 })
  await request('GET', `${host.gatewayUrl}/users/1`).catch(() => undefined)
  expect(await host.exited).toMatchObject({ signal: 'SIGKILL' })
})
