import type { ChildProcess } from 'node:child_process'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { workspace } from '../../test/repo/manifests.ts'
import { installFailure, workspaceManifests } from './dependencies.mjs'
import { root } from './process.mjs'
import { aptFailure } from './test-services.mjs'

const imports = `import { beforeAll, expect, test } from 'vitest'`
const passing = `${imports}; test('passes', () => expect(1).toBe(1))`
const failing = `test('fails', () => expect(1).toBe(2))`

describe('npm run', () => {
  test('a command that does not exist is answered with those that do', async () => {
    const failed = await promisify(execFile)(process.execPath, ['scripts/run.mjs', 'stat'], { cwd: root }).then(
      () => undefined,
      (error: { code: number; stderr: string }) => error,
    )
    expect(failed?.code).toBe(1)
    expect(failed?.stderr).toContain('There is no command "stat"')
    for (const command of ['npm start', 'npm test', 'npm run ecommerce', 'npm run bench', 'npm run check'])
      expect(failed?.stderr).toContain(command)
  })

  test('every package of the workspace counts when dependencies are compared with what is installed', () => {
    const manifests = workspace.filter(({ directory }) => directory !== '').map(({ directory }) => `${directory}/package.json`)
    expect(workspaceManifests().toSorted()).toEqual(manifests.toSorted())
  })
})

describe('a program that takes our place', () => {
  test('ends us with its exit code', async () => {
    const { exited } = inOurPlace(`process.exit(7)`)
    expect(await exited).toEqual([7, null])
  })

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('gets %s once, and we end when it ends', async (signal) => {
    const { child, exited, lines } = inOurPlace(`
      let count = 0
      process.on('${signal}', () => {
        count++
        // A second copy of the signal would have arrived by the time this one's answer has been read.
        process.stdout.write('got ' + count + '\\n', () => setImmediate(() => process.exit(3)))
      })
      setInterval(() => {}, 60_000)
      console.log('ready')
    `)
    await once(lines, 'line')
    const answers: string[] = []
    lines.on('line', (line: string) => answers.push(line))
    child.kill(signal)
    expect(await exited).toEqual([3, null])
    expect(answers).toEqual(['got 1'])
  })

  test('is asked to end when npm has been ended, whose shell tells nobody', async () => {
    const program = `process.on('SIGTERM', () => { console.log('asked to end'); process.exit() }); setInterval(() => {}, 60_000); console.log('ready')`
    const script = `import { passThrough } from ${JSON.stringify(new URL('./process.mjs', import.meta.url).href)}; await passThrough(process.execPath, ['--eval', process.env.PROGRAM])`
    const shell = spawn('/bin/sh', ['-c', '"$NODE" --input-type=module --eval "$SCRIPT"; exit $?'], {
      env: { ...process.env, npm_lifecycle_event: 'start', NODE: process.execPath, SCRIPT: script, PROGRAM: program },
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    })
    const lines = createInterface(shell.stdout)
    expect(await once(lines, 'line')).toEqual(['ready'])
    onTestFinished(() => endGroup(shell))
    shell.kill('SIGTERM')
    expect(await once(lines, 'line')).toEqual(['asked to end'])
  })

  test('that dies of a signal is told by the exit code, as shells tell it', async () => {
    const { exited } = inOurPlace(`process.kill(process.pid, 'SIGKILL')`)
    expect(await exited).toEqual([137, null])
  })
})

describe('what is in the way has a name', () => {
  test.each([
    [
      'npm error request to https://example.invalid/pnpm failed, reason: getaddrinfo EAI_AGAIN example.invalid',
      /registry could not be reached/,
    ],
    ['npm error code ENOTFOUND', /registry could not be reached/],
    ['ERR_PNPM_ENOSPC  ENOSPC: no space left on device, write', /disk is full/],
    ["EACCES: permission denied, mkdir '/work/node_modules'", /could not be written/],
    ['ERR_PNPM_OUTDATED_LOCKFILE  Cannot install with "frozen-lockfile"', /does not fit the manifests/],
    ['something new', /ended with exit code 1/],
  ])('installing dependencies: %s', (output, cause) => {
    expect(installFailure(1, output).message).toMatch(cause)
  })

  test('installing dependencies: no npx', () => {
    expect(installFailure(127, 'npx: not found').message).toBe('npx was not found.')
  })

  test.each([
    [
      "W: Failed to fetch http://example.invalid/dists/bookworm/InRelease  Temporary failure resolving 'example.invalid'",
      /mirror could not be reached/,
    ],
    ["E: You don't have enough free space in /var/cache/apt/archives/.", /disk is full/],
    ['E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 42 (apt-get)', /Another program is installing/],
    ['E: Unable to locate package rabbitmq-server', /does not offer/],
    ['E: something new', /ended with exit code 100/],
  ])('installing test services: %s', (output, cause) => {
    const failure = aptFailure(100, output, 'apt-get install nginx-light', ', or do without')
    expect(failure.message).toMatch(cause)
    expect(failure.cure).not.toBe('')
  })
})

describe('the last line of npm test', () => {
  test.each([
    ['all pass', { 'a.test.js': passing, 'b.test.js': passing }, '2 passed, 0 failed', 0],
    ['one fails', { 'a.test.js': passing, 'b.test.js': `${passing}\n${failing}` }, '2 passed, 1 failed', 1],
    ['a file does not load', { 'a.test.js': passing, 'b.test.js': `import './nowhere.js'` }, '1 passed, 1 failed', 1],
    [
      'a hook fails',
      { 'a.test.js': `${imports}; beforeAll(() => { throw new Error('no') }); test('x', () => {})` },
      '0 passed, 1 failed',
      1,
    ],
    [
      'an error is caught by no test',
      {
        'a.test.js': `${passing}; setTimeout(() => { throw new Error('late') }); test('waits', () => new Promise((end) => setTimeout(end)))`,
      },
      '2 passed, 1 failed',
      1,
    ],
    ['there is no test', {}, '0 passed, 1 failed', 1],
    ['the configuration is wrong', { 'vitest.config.js': `throw new Error('no')` }, '0 passed, 1 failed', 1],
  ])('%s', async (_name, files, line, code) => {
    await mkdir(join(root, '.cache'), { recursive: true })
    const directory = await mkdtemp(join(root, '.cache', 'counts-'))
    onTestFinished(() => rm(directory, { recursive: true, force: true }))
    await writeFile(join(directory, 'package.json'), '{ "type": "module" }')
    for (const [name, text] of Object.entries({ 'vitest.config.js': 'export default {}', ...files }))
      await writeFile(join(directory, name), text)
    const program = `
      import { runTests } from ${JSON.stringify(new URL('./tests.mjs', import.meta.url).href)}
      process.exitCode = await runTests(process.execPath, ['--root', ${JSON.stringify(directory)}, '--config', ${JSON.stringify(join(directory, 'vitest.config.js'))}], [])
    `
    const result = await ended(program)
    expect(result.output.trimEnd().split('\n').at(-1)).toBe(line)
    expect(result.code).toBe(code)
  })

  test('failed checks count, so that the line never contradicts the exit code', async () => {
    const { output, code } = await ended(`
      import { runTests } from ${JSON.stringify(new URL('./tests.mjs', import.meta.url).href)}
      process.exitCode = await runTests(process.execPath, ['test/repo.test.ts', '--testNamePattern', 'a licence expression'], ['lint', 'types'])
    `)
    expect(output.trimEnd().split('\n').at(-1)).toBe('1 passed, 2 failed')
    expect(code).toBe(1)
  })
})

/** A process without a terminal that runs `program` by `passThrough`. */
function inOurPlace(program: string) {
  const parent = `
    import { passThrough } from ${JSON.stringify(new URL('./process.mjs', import.meta.url).href)}
    process.exitCode = await passThrough(process.execPath, ['--eval', ${JSON.stringify(program)}])
  `
  const child = spawn(process.execPath, ['--input-type=module', '--eval', parent], { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  onTestFinished(() => endGroup(child))
  return { child, exited: once(child, 'exit'), lines: createInterface(child.stdout) }
}

/** A test that fails half-way leaves nobody of the group that its process leads. */
function endGroup(leader: ChildProcess): void {
  try {
    if (leader.pid !== undefined) process.kill(-leader.pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

async function ended(program: string): Promise<{ code: number; output: string }> {
  const { CI: _ci, VITEST: _vitest, NODE_ENV: _mode, ...environment } = process.env
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environment,
  })
  let output = ''
  child.stdout.on('data', (text: Buffer) => (output += text.toString()))
  child.stderr.resume()
  const [code] = (await once(child, 'close')) as [number]
  return { code, output }
}
