/** Simulations run by the command, as a user meets them: what is fine, what fails and is kept, and what is wrong with what it was given. */
import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import type { Regression } from 'skerry/simulation'
import { expect, test } from 'vitest'
import type { Project } from '../fixtures/project.ts'
import { openProject } from '../fixtures/project.ts'
import { simulationFile, TICKET_SYSTEM } from './fixtures/ticket-system.ts'

interface Outcome {
  readonly fine: boolean
  readonly replayed: readonly { readonly file: string; readonly fine: boolean; readonly failure: unknown; readonly unasked: string[] }[]
  readonly seeds: number
  readonly never: readonly string[]
  readonly failures: readonly { readonly seed: number; readonly hash: string; readonly keptIn: string; readonly regression: Regression }[]
}

const PLANTED = 'planted.simulation.ts'
/** With what the planted mistake is found in a few seeds. */
const FINDING = ['--seeds', '5', '--faults', 'hell'] as const

function openTickets(files: Readonly<Record<string, string>> = {}): Promise<Project> {
  return openProject({ files: { ...TICKET_SYSTEM, ...files }, packages: ['skerry', 'zod', '@skerry/pglite'] })
}

async function outcome(project: Project, ...parameters: readonly string[]): Promise<Outcome> {
  const { code, stdout } = await project.run(['simulate', ...parameters, '--json'])
  // One line and nothing else.
  expect(stdout).toMatch(/^\{.*\}\n$/)
  const result = JSON.parse(stdout) as Outcome
  expect(result.fine).toBe(code === 0)
  return result
}

/** What a shell makes of the command that was printed. */
async function parametersOf(command: string): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', `skerry() { printf '%s\\n' "$@"; }; ${command}`])
  return stdout.trimEnd().split('\n')
}

test('what is right passes all seeds, and the counts are told', async () => {
  await using project = await openTickets()
  const { code, stdout } = await project.run(['simulate', '--seeds', '4', '--operations', '8'])
  expect(code).toBe(0)
  expect(stdout).toMatch(
    /^✓ good {2}4 of 4 seeds {2}[\d,]+ a minute {2}\d+ faults {2}[\d,]+ scheduling points {2}[1-9]\d* of \d+ crash points passed\n$/,
  )
})

test('what fails is shrunk, told, kept and run again, until it is cured', async () => {
  // A name that a shell takes apart unless it is quoted.
  const path = `box office/${PLANTED}`
  await using project = await openTickets({ [path]: simulationFile('planted', '2', '{}', '../scene.ts') })
  const found = await project.run(['simulate', path, ...FINDING])
  expect(found.code).toBe(1)
  const [told] = found.stdout.split('\n✗ planted')
  const [, seed, order] = /^✗ planted, seed (\d+), faults hell: an order has one ticket\n {4}order (\d+) has 2 tickets\n/.exec(told!)!
  const kept = `box office/regressions/planted/${seed}-hell.json`
  const regression = JSON.parse(await project.read(kept)) as Regression
  expect(regression).toMatchObject({ simulation: 'planted', seed: Number(seed), faults: 'hell', operations: 40 })

  const [, operations, faults, listed] =
    /\n {2}It takes (\d) operations? and (\d) faults?, of 40 operations and \d+ faults; found in \d+ runs:\n((?: {4}.*\n)+)/.exec(told!)!
  expect(regression.onlyOperations.length).toBe(Number(operations))
  expect(regression.choices.length).toBe(Number(faults))
  expect(Number(operations)).toBeLessThanOrEqual(2)
  expect(Number(faults)).toBeLessThanOrEqual(2)
  expect(listed).toBe(regression.choices.map((choice) => `    ${choice}\n`).join(''))

  const [trace] = /\n {2}What happened:\n(?: {3,}\d+\.\d{3} s {2}\w.*\n)+/.exec(told!)!
  expect(trace).toMatch(new RegExp(`s {2}client \\d +buy a ticket \\{"order":${order}\\}\n`))
  expect(trace.match(/s {2}desk +POST tickets\/tickets\n/g)?.length).toBeGreaterThanOrEqual(2)
  expect(found.stdout).toMatch(/\n✗ planted {2}\d of 5 seeds .* \d failed\n$/)

  const [, command] = /^ {2}Again: {2}(skerry simulate .*)$/m.exec(told!)!
  const again = await parametersOf(command!)
  expect(again).toEqual(['simulate', path, '--replay', kept])
  const replayed = await project.run(again)
  expect({ code: replayed.code, stderr: replayed.stderr }).toEqual({ code: 1, stderr: '' })
  expect(replayed.stdout).toContain(`✗ planted, seed ${seed}, faults hell: an order has one ticket\n    order ${order} has 2 tickets\n`)
  expect(replayed.stdout).toContain(trace)
  expect(replayed.stdout.trimEnd().endsWith(command!)).toBe(true)

  const plain = await outcome(project, path, '--seeds', '1', '--faults', 'none')
  expect(plain.replayed.find(({ file }) => file === kept)).toMatchObject({ fine: false, failure: { name: 'an order has one ticket' } })
  expect(plain).toMatchObject({ fine: false, failures: [], seeds: 1 })

  await project.write(path, simulationFile('planted', '1', '{}', '../scene.ts'))
  expect(await project.run(again)).toMatchObject({ code: 0, stdout: `✓ planted  ${kept} does not fail any more\n`, stderr: '' })
  const cured = await project.run(['simulate', path, '--seeds', '1'])
  expect(cured.code).toBe(0)
  expect(cured.stdout).toMatch(
    /^(✓ planted {2}box office\/regressions\/planted\/\d+-hell\.json does not fail any more\n)+✓ planted {2}1 of 1/,
  )
  expect(cured.stdout).toContain(kept)
})

test('two processes find what one finds, and a seed by itself is what it was among others', async () => {
  await using project = await openTickets({ [PLANTED]: simulationFile('planted', '2') })
  const one = await outcome(project, PLANTED, ...FINDING, '--no-shrink')
  expect(one.failures.length).toBeGreaterThan(0)
  expect(one.failures.map(({ seed }) => seed)).toEqual(one.failures.map(({ seed }) => seed).toSorted((a, b) => a - b))
  const [failure] = one.failures
  expect(failure).toEqual({
    seed: failure!.seed,
    hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    kind: 'invariant',
    name: 'an order has one ticket',
    messages: expect.arrayContaining([expect.stringMatching(/^order \d+ has 2 tickets$/)]),
    keptIn: `regressions/planted/${failure!.seed}-hell.json`,
    regression: JSON.parse(await project.read(failure!.keptIn)) as Regression,
  })
  expect(one).toEqual({
    simulation: 'planted',
    fine: false,
    replayed: [],
    seeds: 5,
    steps: expect.any(Number),
    faults: expect.objectContaining({ lostAnswer: expect.any(Number) }),
    crashPoints: expect.objectContaining({ 'operation.received': expect.any(Number) }),
    sometimes: { 'an answer is lost': expect.any(Number) },
    never: [],
    failures: expect.any(Array),
  })
  const alone = await outcome(project, PLANTED, '--seed', String(failure!.seed), '--faults', 'hell', '--no-shrink')
  expect(alone).toMatchObject({ seeds: 1, replayed: [], failures: [failure] })
  await rm(join(project.directory, 'regressions'), { recursive: true })
  expect(await outcome(project, PLANTED, ...FINDING, '--no-shrink', '--workers', '2')).toEqual(one)
})

test('what fails all the time is told of five times, and not shrunk when nobody wants that', async () => {
  await using project = await openTickets({
    'wrong.simulation.ts': simulationFile('wrong', '1', `{ invariants: { 'all is well': () => ['it is not'] } }`),
  })
  const { code, stdout } = await project.run(['simulate', 'wrong.simulation.ts', '--operations', '2', '--faults', 'none', '--no-shrink'])
  expect(code).toBe(1)
  expect(stdout.match(/faults none: all is well\n {4}it is not\n\n {2}It takes \d operations? and 0 faults\n/g)?.length).toBe(5)
  expect(stdout).toMatch(/\n✗ wrong {2}5 of 100 seeds .* 5 failed\n {2}That is enough failures: not all seeds have run\.\n$/)
})

test('a signal to all processes, as from a terminal, ends a run after the seeds that were begun; which are all only where it has no end', async () => {
  await using project = await openTickets({
    'noisy.simulation.ts': simulationFile('noisy', '1', `{ sometimes: { told: () => (process.stderr.write('a seed has run\\n'), 1) } }`),
  })
  const stopped = async (...parameters: readonly string[]) => {
    const command = await project.start(['simulate', 'noisy.simulation.ts', '--operations', '3', ...parameters])
    await command.printed(/a seed has run/)
    process.kill(-command.pid, 'SIGINT')
    return command.ended
  }
  const [endless, counted] = await Promise.all([stopped('--until-stopped', '--workers', '2'), stopped('--seeds', '1000000')])
  expect(endless).toMatchObject({ code: 0, stdout: expect.stringMatching(/^✓ noisy {2}\d+ seeds .* crash points passed\n$/) })
  expect(endless.stderr).not.toContain('error')
  expect(counted).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/^✗ noisy {2}\d+ of 1,000,000 seeds .*\n {2}It was stopped: not all seeds have run\.\n$/),
  })
})

test('what never happens fails a run that requires it, and faults that never come are told of', async () => {
  const lost = {
    simulation: 'dull',
    failure: '',
    seed: 1,
    faults: 'rough',
    operations: 3,
    onlyOperations: [0],
    choices: ['nobody: crash #1'],
  }
  await using project = await openTickets({
    'dull.simulation.ts': simulationFile('dull', '1', `{ sometimes: { 'a miracle': () => 0, 'a sunrise': () => 1 } }`),
    'regressions/dull/1-rough.json': JSON.stringify(lost),
  })
  const dull = ['simulate', 'dull.simulation.ts', '--seeds', '2', '--operations', '3']
  const required = await project.run([...dull, '--require-sometimes'])
  expect(required.code).toBe(1)
  expect(required.stdout).toMatch(
    /^✓ dull {2}regressions\/dull\/1-rough\.json does not fail any more\n {2}Never asked for, so the code has changed since it was kept: nobody: crash #1\n✗ dull .*\n +0 {2}a miracle\n +2 {2}a sunrise\n {2}What never happened was not tested: /,
  )
  expect(await outcome(project, ...dull.slice(1))).toMatchObject({
    fine: true,
    never: ['a miracle'],
    replayed: [{ fine: true, unasked: ['nobody: crash #1'] }],
  })
})

test('what it is given and cannot use is refused: what, where, and what to do', async () => {
  await using project = await openTickets({
    'nothing.simulation.ts': 'export const nothing = 1\n',
    'throwing.simulation.ts': `throw new Error('no seats')\n`,
    'unreadable.simulation.ts': 'export default (\n',
    'empty.simulation.ts': simulationFile('empty', '1', '{ operations: {} }'),
    'damaged.simulation.ts': simulationFile('damaged', '1'),
    'regressions/damaged/1-rough.json': '{ "simulation": "dama',
    'foreign.simulation.ts': simulationFile('foreign', '1'),
    'regressions/foreign/1-rough.json': JSON.stringify({
      simulation: 'good',
      seed: 1,
      faults: 'rough',
      operations: 3,
      onlyOperations: [0],
      choices: [],
    }),
  })
  const refused: readonly (readonly [parameters: string, code: number, error: RegExp, help: RegExp])[] = [
    ['lost.simulation.ts', 2, /There is no file .*\/project\/lost\.simulation\.ts/, /Name files that export a simulation/],
    ['migrations', 2, /There is no file .*\/project\/migrations/, /Name files/],
    ['nothing.simulation.ts', 2, /nothing\.simulation\.ts has no simulation as its default export/, /export default simulation\(/],
    ['throwing.simulation.ts', 1, /no seats\n\n {2}at .*throwing\.simulation\.ts:1:/, /correct the code there/],
    ['unreadable.simulation.ts', 1, /unreadable\.simulation\.ts/, /correct the code there/],
    ['empty.simulation.ts', 1, /simulation "empty": it has no operations/, /correct the code there/],
    ['good.simulation.ts nothing.simulation.ts', 2, /nothing\.simulation\.ts has no simulation/, /export default/],
    ['damaged.simulation.ts', 1, /regressions\/damaged\/1-rough\.json is not a regression of a simulation: .*JSON/, /or delete it/],
    [
      'foreign.simulation.ts',
      2,
      /foreign\/1-rough\.json is a failure of the simulation "good", and .* is "foreign"/,
      /if that was renamed/,
    ],
    ['good.simulation.ts --replay lost.json', 2, /lost\.json cannot be read: ENOENT/, /Name the file of a kept failure/],
    ['good.simulation.ts --replay system.ts', 1, /system\.ts is not a regression of a simulation/, /or delete it/],
    ['good.simulation.ts damaged.simulation.ts --replay a.json', 2, /--replay is for one simulation, and there are 2/, /Name its file/],
    ['good.simulation.ts damaged.simulation.ts --until-stopped', 2, /--until-stopped is for one simulation/, /Name its file/],
    ['good.simulation.ts --until-stopped --seeds 3', 2, /'--until-stopped' cannot be used with option '--seeds/, /skerry help/],
    ['good.simulation.ts --replay a.json --seed 3', 2, /'--replay <file>' cannot be used with option '--seed/, /skerry help/],
    ['good.simulation.ts --faults harsh', 2, /'harsh' is invalid.*none, mild, rough, hell/, /skerry help/],
    ['good.simulation.ts --seeds 0', 2, /'--seeds <number>' argument '0' is invalid.*whole number from 1/, /skerry help/],
  ]
  for (const [parameters, code, error, help] of refused) {
    const ended = await project.run(['simulate', ...parameters.split(' ')])
    expect({ parameters, code: ended.code, stdout: ended.stdout }).toEqual({ parameters, code, stdout: '' })
    expect(ended.stderr).toMatch(new RegExp(`^error: [^]*${error.source}[^]*\\n\\n?What to do: [^]*${help.source}`, 'm'))
  }
  await using empty = await openProject({ files: { 'package.json': '{}' }, packages: ['skerry'] })
  expect(await empty.run(['simulate'])).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringMatching(/^error: There is no simulation here: looked for .* below .*\/project\.\n\nWhat to do: Name the file\./),
  })
})

test('a migration that is broken is told of in the same way by one process and by two', async () => {
  await using project = await openTickets({ 'migrations/0002-broken.sql': 'create tabel seats (id int);\n' })
  const told = await project.run(['simulate', '--seeds', '2'])
  expect(told).toMatchObject({ code: 1, stdout: '' })
  expect(told.stderr).toMatch(/^error: .*tickets.*0002-broken\.sql[^]*\n\nWhat to do: Correct the migration as the message says/)
  expect(await project.run(['simulate', '--seeds', '2', '--workers', '2'])).toEqual(told)
})

test('a process that dies is told of with its seed, and what was found before is kept', async () => {
  await using project = await openTickets({
    // The first seed fails in one process; the other waits for it with the second, and dies.
    'deadly.simulation.ts': simulationFile(
      'deadly',
      '1',
      `{
        sometimes: { death: ({ seed }) => (seed === 3 ? (process.kill(process.pid, 'SIGKILL'), 1) : 0) },
        invariants: { 'all is well': () => ['it is not'] },
      }`,
    ),
  })
  const { code, stdout, stderr } = await project.run(
    'simulate deadly.simulation.ts --seeds 4 --workers 2 --operations 1 --faults none --no-shrink'.split(' '),
  )
  expect(code).toBe(1)
  expect(stderr).toMatch(/^error: The process that ran seed 3 ended: SIGKILL\.\n\nWhat to do: Run it with --workers 1/)
  expect(stdout).toContain('✗ deadly, seed 1, faults none: all is well')
  expect(JSON.parse(await project.read('regressions/deadly/1-none.json'))).toMatchObject({ simulation: 'deadly', seed: 1 })
})

test('a service that would end the process, and with it the simulation, is a failure', async () => {
  await using project = await openTickets({
    'leaving.simulation.ts': `
      import { contract, gateway, post, service, system } from 'skerry'
      import { simulation } from 'skerry/simulation'
      import { z } from 'zod'

      const leaver = contract('leaver', { version: '1.0.0', operations: { leave: post('/leave', { output: z.object({}), public: true }) } })
      export default simulation('leaving', {
        system: system('leaving', { services: [service(leaver).implement({ leave: async () => process.exit(0) })], gateway: gateway() }),
        state: () => ({}),
        operations: { leave: { run: ({ clientOf }) => clientOf(leaver).leave({}) } },
        invariants: {},
      })`,
  })
  const { code, stdout } = await project.run(['simulate', 'leaving.simulation.ts', '--seeds', '1'])
  expect({ code, stdout }).toMatchObject({ code: 1, stdout: expect.stringContaining(': process.exit()\n') })
})
