import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from 'skerry/engine'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LockFile } from './lock-file.ts'

let directory: string
let path: string
const children: ChildProcess[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'skerry-lock-'))
  path = join(directory, 'lock')
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await rm(directory, { recursive: true, force: true })
})

/** The lock as this process would leave it, changed as the test says. */
async function leaveLock(changes: Record<string, unknown>): Promise<void> {
  const lock = await LockFile.take(path, systemClock)
  const holder = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>
  await lock.release()
  await writeFile(path, JSON.stringify({ ...holder, ...changes }))
}

function startTaker(): { child: ChildProcess; said: () => string } {
  const child = spawn(process.execPath, [new URL('./fixtures/lock-taker.ts', import.meta.url).pathname, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  let output = ''
  child.stdout.on('data', (bytes) => (output += String(bytes)))
  return { child, said: () => output }
}

test('is held until it is released, by one at a time, and leaves nothing behind', async () => {
  const lock = await LockFile.take(path, systemClock)
  await expect(LockFile.take(path, systemClock)).rejects.toThrow(/This process itself has had this directory open since .* Use one engine/)
  expect(await readdir(directory)).toEqual(['lock'])
  await lock.release()
  expect(await readdir(directory)).toEqual([])
  await (await LockFile.take(path, systemClock)).release()
})

test('another process that holds it is named', async () => {
  const { child, said } = startTaker()
  child.stdin!.write('take\n')
  await expect.poll(said, { timeout: 10_000 }).toBe('ready\ntaken\n')
  await expect(LockFile.take(path, systemClock)).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringMatching(
      new RegExp(`^Process ${child.pid} \\(.*lock-taker\\.ts\\) has had this directory open since .*Stop it, or choose another dataDir$`),
    ),
  })
  child.stdin!.end()
  await expect.poll(() => readdir(directory), { timeout: 10_000 }).toEqual([])
})

test('a process that was killed holds it no longer', async () => {
  const { child, said } = startTaker()
  child.stdin!.write('take\n')
  await expect.poll(said, { timeout: 10_000 }).toBe('ready\ntaken\n')
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
  expect(await readdir(directory)).toEqual(['lock'])
  await (await LockFile.take(path, systemClock)).release()
})

test.each<[string, Record<string, unknown>]>([
  ['a process of another boot', { bootId: 'another' }],
  ['a process whose number was given to this one', { startTicks: '1' }],
  ['a process whose number was given to another', { pid: process.ppid, startTicks: '1' }],
])('%s holds it no longer', async (_, changes) => {
  await leaveLock(changes)
  await (await LockFile.take(path, systemClock)).release()
})

test('one cut off by a power failure is not held', async () => {
  await writeFile(path, '{"pid": 1')
  await (await LockFile.take(path, systemClock)).release()
})

test('a process in another container, which cannot be seen, holds it while it refreshes it', async () => {
  await leaveLock({ pidNamespace: 'pid:[1]', pid: 999_999_999 })
  await expect(LockFile.take(path, systemClock)).rejects.toThrow('in another container')
  const longAgo = new Date(Date.now() - 60_000)
  await utimes(path, longAgo, longAgo)
  const lock = await LockFile.take(path, systemClock)
  await utimes(path, longAgo, longAgo)
  await lock.refresh(systemClock)
  await leaveLockOf(lock)
  await expect(LockFile.take(path, systemClock)).rejects.toThrow('in another container')
})

/** Makes the lock look as if its holder were in another container, without touching when it was refreshed. */
async function leaveLockOf(lock: LockFile): Promise<void> {
  const holder = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>
  await writeFile(path, JSON.stringify({ ...holder, pidNamespace: 'pid:[1]', pid: 999_999_999 }))
  await lock.refresh(systemClock)
}

test('of many processes that find a stale one at the same time, one gets it', async () => {
  const takers = Array.from({ length: 6 }, startTaker)
  for (const { said } of takers) await expect.poll(said, { timeout: 20_000 }).toBe('ready\n')
  for (let round = 0; round < 5; round++) {
    await writeFile(
      path,
      JSON.stringify({ id: `stale-${round}`, pid: 1, bootId: 'another', startTicks: '1', pidNamespace: '', program: 'gone', since: '' }),
    )
    for (const { child } of takers) child.stdin!.write('take\n')
    const said = (): string[] =>
      takers.map(
        (taker) =>
          taker
            .said()
            .split('\n')
            .at(round + 1) ?? '',
      )
    await expect.poll(said, { timeout: 10_000 }).not.toContain('')
    expect(said().toSorted()).toEqual(['refused', 'refused', 'refused', 'refused', 'refused', 'taken'])
  }
}, 60_000)
