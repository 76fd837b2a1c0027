import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { openProject } from './fixtures/project.ts'

const COMMANDS = [
  'dev',
  'start',
  'migrate',
  'projections',
  'openapi',
  'asyncapi',
  'events',
  'sagas',
  'contract',
  'check',
  'simulate',
  'generate',
]

test('--version is that of the package', async () => {
  await using project = await openProject({ files: {} })
  const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
  expect(await project.run(['--version'])).toEqual({ code: 0, signal: null, stdout: `${version}\n`, stderr: '' })
})

test('help names every command and what it is for', async () => {
  await using project = await openProject({ files: {} })
  const { code, stdout } = await project.run(['--help'])
  expect(code).toBe(0)
  for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command} .*[a-z]`, 'm'))
  expect(await project.run(['help'])).toMatchObject({ code: 0, stdout })
})

test.each(COMMANDS)('help of %s: its purpose in one sentence, examples, the variables it reads', async (command) => {
  await using project = await openProject({ files: {} })
  const { code, stdout, stderr } = await project.run([command, '--help'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(new RegExp(`^Usage: skerry ${command}.*\\n\\n[A-Z][^.]*\\.\\n`))
  expect(stdout).toMatch(new RegExp(`^Examples:\\n( {2}\\$ .*skerry ${command}.* # .*\\n)+`, 'm'))
  if (!['openapi', 'asyncapi', 'contract', 'check', 'simulate', 'generate'].includes(command))
    expect(stdout).toMatch(/^Environment:\n(.*\n)* {2}DATABASE_URL /m)
  expect(await project.run(['help', command])).toMatchObject({ code: 0, stdout })
})

test.each([
  [
    ['strat'],
    "unknown command 'strat'",
    'Use one of: dev, start, ps, scale, restart, stop, migrate, projections, openapi, asyncapi, events, sagas, faults, contract, check, simulate, generate, help.',
  ],
  [['events', 'dead', 'bury'], "unknown command 'bury'", 'Use one of: list, show, replay, discard, audit, help.'],
  [['events', 'dead', 'list', '--cause', 'boredom'], "option '--cause <cause>' argument 'boredom' is invalid", 'See skerry help'],
  [['events', 'dead', 'list', '--limit', '0'], "option '--limit <number>' argument '0' is invalid", 'See skerry help'],
  [['sagas', 'bury'], "unknown command 'bury'", 'Use one of: list, show, retry, skip, cancel, help.'],
  [['sagas', 'list', '--status', 'bored'], "option '--status <status>' argument 'bored' is invalid", 'See skerry help'],
  [['sagas', 'skip', 'x', '--output', '{'], "option '--output <json>' argument '{' is invalid", 'See skerry help'],
  [['generate', 'kube'], "unknown command 'kube'", 'Use one of: compose, docker, nginx, help.'],
  [['start', '--sytem', 'x.ts'], "unknown option '--sytem'", 'See skerry help'],
  [['dev', 'system.ts'], "too many arguments for 'dev'", 'See skerry help'],
  [['start', '--system'], "option '--system <file>' argument missing", 'See skerry help'],
])('wrong usage: %j', async (parameters, what, help) => {
  await using project = await openProject()
  const { code, stdout, stderr } = await project.run(parameters)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain(`error: ${what}`)
  expect(stderr).toMatch(new RegExp(`^What to do: ${help}`, 'm'))
})

test('without a command: the help, on standard error, and exit 2', async () => {
  await using project = await openProject({ files: {} })
  expect(await project.run([])).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/^Usage: skerry/) })
})
