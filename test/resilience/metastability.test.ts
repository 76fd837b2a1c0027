/**
 * An overload that outlives its cause: clients that try again make more of the load that they suffer from, and a service that works on what
 * nobody waits for any more has no time for the rest. 20 s of three times what a service can do, and then half of it: with the policies that are
 * on by default it answers again within 10 s; without them it does not, which proves the test.
 */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { afterAll, expect, test } from 'vitest'

interface Measured {
  /** Good answers a second. */
  readonly capacity: number
  /** Of the calls begun in each second, the share that was answered well. */
  readonly overload: readonly number[]
  readonly normal: readonly number[]
}

const RECOVERY_SECONDS = 10

const children: ChildProcess[] = []
afterAll(() => children.forEach((child) => child.kill()))

/** Starts a process, and resolves with the first line that it prints. It ends with the tests. */
async function firstLine(file: string, ...parameters: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [new URL(`./fixtures/${file}`, import.meta.url).pathname, ...parameters], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`${file} ended with ${String(code)} and said nothing`)))
  ended.catch(() => undefined)
  const [line] = (await Promise.race([once(createInterface(child.stdout), 'line'), ended])) as [string]
  return line
}

async function overloaded(policies: 'on' | 'off'): Promise<Measured> {
  const { url } = JSON.parse(await firstLine('bounded-service.ts', policies)) as { url: string }
  return JSON.parse(await firstLine('overload-clients.ts', policies, url)) as Measured
}

const average = (shares: readonly number[]): number => shares.reduce((sum, share) => sum + share, 0) / shares.length

test('with the policies on it answers again within 10 s, and has done what it could all the time', async () => {
  const { overload, normal } = await overloaded('on')
  expect(average(normal.slice(RECOVERY_SECONDS - 2))).toBeGreaterThan(0.9)
  // A third is all that it can do.
  expect(average(overload.slice(5))).toBeGreaterThan(0.2)
})

test('with the policies off it stays down, though it has less to do than it could', async () => {
  const { overload, normal } = await overloaded('off')
  expect(average(overload.slice(5))).toBeLessThan(0.2)
  expect(average(normal)).toBeLessThan(0.5)
})
