import { describe, expect, test, vi } from 'vitest'
import type { Calls, Request } from '../../../../test/services/call-always.ts'
import { callAlways } from '../../../../test/services/call-always.ts'
import { request } from '../../../../test/topologies/request.ts'
import { MAIL_SYSTEM } from '../events/fixtures/mail-system.ts'
import { openProject } from '../fixtures/project.ts'
import type { Crew } from './fixtures/crew.ts'
import { CREW, isAlive, startCrew } from './fixtures/crew.ts'

vi.setConfig({ testTimeout: 180_000, expect: { poll: { timeout: 60_000 } } })

const STEADY = { method: 'GET', path: '/stand' } as const
const WORK = [
  { method: 'POST', path: '/work' },
  { method: 'GET', path: '/who' },
] as const
const CONCURRENCY = 8

function callsOf(crew: Crew, requests: readonly Request[]): Calls<{ readonly pid: number }> {
  return callAlways(crew.gateway, requests, CONCURRENCY)
}

describe('skerry start --each', () => {
  test('runs every service in a process of its own, says so, and stops all in order', async () => {
    await using crew = await startCrew(['--instances', 'worker=2'])
    const { instances, system, pid } = await crew.status()
    expect({ system, pid }).toEqual({ system: 'crew', pid: crew.command.pid })
    expect(instances.map(({ instance, state }) => `${instance} ${state}`)).toEqual([
      'worker#1 serving',
      'worker#2 serving',
      'steady#1 serving',
      'gateway#1 serving',
    ])
    expect(new Set(instances.map((one) => one.pid)).size).toBe(4)
    expect(await crew.get('/stand')).toEqual({ pid: instances[2]!.pid, version: 1 })
    const table = await crew.project.run(['ps'])
    expect(table).toMatchObject({ code: 0, stdout: expect.stringMatching(/^worker#1 +serving +\d+ +\d+ s/m) })
    expect(await crew.project.run(['stop'])).toMatchObject({ code: 0 })
    expect(await crew.command.ended).toMatchObject({ code: 0 })
    expect(instances.filter((one) => isAlive(one.pid!))).toEqual([])
    expect(await crew.project.run(['ps'])).toMatchObject({ code: 1, stderr: expect.stringContaining('No supervisor runs in') })
  })

  test('with ADMIN_PORT each has an admin API at a port of its own, which ps --json names', async () => {
    await using crew = await startCrew([], CREW, { ADMIN_PORT: '9090' })
    const { instances } = await crew.status()
    expect(new Set(instances.map(({ admin }) => admin)).size).toBe(3)
    for (const { admin } of instances) expect((await request('GET', `${admin}/health/ready`)).status).toBe(200)
  })

  test('what an instance prints comes out with its name', async () => {
    await using crew = await startCrew([], {
      ...CREW,
      'version.ts': `console.log('plain words')\nexport const version: number = 1\n`,
    })
    const lines = (await crew.command.stderr()).trimEnd().split('\n')
    for (const line of lines) expect(JSON.parse(line)).toHaveProperty('msg')
    expect(lines.map((line) => JSON.parse(line) as object)).toContainEqual({ level: 'info', instance: 'worker#1', msg: 'plain words' })
  })

  test('an instance that is killed under load is back, and requests that do not need it go on', async () => {
    await using crew = await startCrew()
    const steady = callsOf(crew, [STEADY])
    const [pid] = await crew.pids('worker')
    await steady.more(50)
    process.kill(pid!, 'SIGKILL')
    await expect.poll(async () => (await crew.pids('worker')).filter((one) => one !== pid).length).toBe(1)
    await expect.poll(async () => (await request('GET', `${crew.gateway}/who`)).status).toBe(200)
    await steady.more(50)
    await steady.stop()
    expect(steady.failures).toEqual([])
    expect((await crew.status()).instances[0]).toMatchObject({ instance: 'worker#1', restarts: 1, state: 'serving' })
  })

  test('when the gateway is killed nobody is refused: who comes meanwhile waits for the next one', async () => {
    await using crew = await startCrew()
    const [pid] = await crew.pids('gateway')
    process.kill(pid!, 'SIGKILL')
    await crew.command.printed(/gateway#1 has ended \(SIGKILL\)/)
    expect(await request('GET', `${crew.gateway}/stand`)).toMatchObject({ status: 200 })
    expect(await crew.pids('gateway')).not.toContain(pid)
  })

  test('one that dies again and again is reported and tried on, and ps says so and fails', async () => {
    await using crew = await startCrew()
    await crew.project.replace(
      'version.ts',
      `export const version: number = 1\nif (process.argv[3] === 'worker') throw new Error('broken')\n`,
    )
    process.kill((await crew.pids('worker'))[0]!, 'SIGKILL')
    await crew.command.printed(/worker#1 is in a crash loop: 5 deaths/)
    expect(await crew.project.run(['ps'])).toMatchObject({ code: 1, stdout: expect.stringMatching(/^worker#1 +crash loop/m) })
    expect(await crew.get('/stand')).toMatchObject({ version: 1 })
  })

  test('when it is killed itself, nobody is left behind', async () => {
    await using crew = await startCrew()
    const { instances } = await crew.status()
    process.kill(crew.command.pid, 'SIGKILL')
    await expect.poll(() => instances.filter((one) => isAlive(one.pid!))).toEqual([])
    // What it left there is in nobody's way.
    const again = await crew.project.start(['start', '--each', '--json'])
    await again.printed(/"event":"started"/)
    again.signal('SIGTERM')
    expect(await again.ended).toMatchObject({ code: 0 })
  })

  test('a second one in the same place is refused', async () => {
    await using crew = await startCrew()
    expect(await crew.project.run(['start', '--each'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/A supervisor runs in .* already[^]*skerry ps/),
    })
  })
})

describe('skerry restart', () => {
  test('replaces every instance by one of the new code, and no request fails', async () => {
    await using crew = await startCrew(['--instances', 'worker=2'])
    const calls = callsOf(crew, [...WORK, STEADY])
    const before = (await crew.status()).instances.map(({ pid }) => pid!)
    await calls.more(200)
    await crew.project.replace('version.ts', 'export const version: number = 2\n')
    expect(await crew.project.run(['restart'])).toMatchObject({ code: 0 })
    await calls.more(200)
    await calls.stop()
    expect(calls.failures).toEqual([])
    const { instances } = await crew.status()
    expect(instances.map(({ state }) => state)).toEqual(['serving', 'serving', 'serving', 'serving'])
    expect(instances.filter(({ pid }) => before.includes(pid!))).toEqual([])
    expect(before.filter(isAlive)).toEqual([])
    expect(await crew.get('/who')).toMatchObject({ version: 2 })
  })

  test('leaves what serves alone when the new code does not start', async () => {
    await using crew = await startCrew()
    const before = await crew.pids('worker')
    await crew.project.replace('version.ts', `export const version: number = 2\nthrow new Error('half of an idea')\n`)
    expect(await crew.project.run(['restart', 'worker'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/given up\. worker#1: error: half of an idea/),
    })
    expect(await crew.pids('worker')).toEqual(before)
    expect(await crew.get('/who')).toMatchObject({ version: 1 })
    expect(await crew.project.run(['restart', 'walker'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Use one of: worker, steady, gateway'),
    })
  })
})

test('skerry scale starts and stops instances under load, and no request fails', async () => {
  await using crew = await startCrew()
  const calls = callsOf(crew, WORK)
  for (const count of [3, 1, 2]) {
    expect(await crew.project.run(['scale', `worker=${count}`, '--json'])).toMatchObject({ code: 0 })
    await calls.more(200)
    expect(await crew.pids('worker')).toHaveLength(count)
  }
  await calls.stop()
  expect(calls.failures).toEqual([])
  expect(new Set(calls.answers.map(({ answer }) => answer.pid)).size).toBeGreaterThanOrEqual(3)
  expect(await crew.project.run(['scale', 'worker'])).toMatchObject({ code: 1, stderr: expect.stringContaining('such as orders=3') })
})

test('an instance that has more memory than it may is replaced, and no request fails', async () => {
  await using crew = await startCrew(['--memory', '300M'])
  const calls = callsOf(crew, WORK)
  const [before] = await crew.pids('worker')
  expect((await request('POST', `${crew.gateway}/eat`, { megabytes: 250 })).status).toBe(200)
  await crew.command.printed(/worker#1 has \d+ MiB, and may have 300: it is replaced/)
  await expect.poll(async () => (await crew.pids('worker')).filter((pid) => pid !== before).length).toBe(1)
  await expect.poll(() => isAlive(before!)).toBe(false)
  await calls.more(200)
  await calls.stop()
  expect(calls.failures).toEqual([])
})

test('a service with an embedded database has one of its own, and lets go of it before its successor starts', async () => {
  await using project = await openProject()
  const command = await project.start(['start', '--each', '--json'], { SKERRY_DATA: 'here' })
  const [line] = await command.printed(/^\{"event":"started".*$/m)
  const { gateway } = JSON.parse(line) as { gateway: string }
  const ann = { id: 1, name: 'Ann' }
  expect((await request('POST', `${gateway}/users`, ann)).status).toBe(200)
  expect(await project.run(['restart', 'users'], { SKERRY_DATA: 'here' })).toMatchObject({ code: 0 })
  await expect.poll(() => request('GET', `${gateway}/users/1`)).toMatchObject({ status: 200, body: ann })
  expect(await project.run(['scale', 'users=2'], { SKERRY_DATA: 'here' })).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/users cannot have several instances/),
  })
  expect(await project.read('here/services/users/lock')).toContain('instance-process')
  command.signal('SIGTERM')
  expect(await command.ended).toMatchObject({ code: 0 })
})

describe('what cannot be', () => {
  test('events cannot cross processes without a broker, and that is said before anything is started', async () => {
    await using project = await openProject({ files: MAIL_SYSTEM })
    expect(await project.run(['start', '--each'])).toMatchObject({
      code: 78,
      stderr: expect.stringMatching(/BROKER_URL is missing: .* consumes the events of/),
    })
  })

  test('several processes cannot have one embedded database', async () => {
    await using project = await openProject()
    expect(await project.run(['start', '--each', '--instances', 'users=2'])).toMatchObject({
      code: 78,
      stderr: expect.stringMatching(/users cannot have several instances[^]*USERS_DATABASE_URL/),
    })
  })

  test('options that are wrong are refused with what is right', async () => {
    await using project = await openProject({ files: CREW, packages: ['skerry', 'zod'] })
    for (const [parameters, message] of [
      [['--each', '--instances', 'walker=2'], /Use one of: worker, steady, gateway/],
      [['--each', '--instances', 'worker'], /such as orders=3/],
      [['--each', '--memory', 'lots'], /such as 512M/],
      [['--memory', '512M'], /Add --each/],
    ] as const)
      expect(await project.run(['start', ...parameters])).toMatchObject({ code: 2, stderr: expect.stringMatching(message) })
  })
})
