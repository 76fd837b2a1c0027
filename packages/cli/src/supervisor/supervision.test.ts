import type { Random } from 'skerry/engine'
import { VirtualClock } from 'skerry/testing'
import { expect, onTestFinished, test } from 'vitest'
import type { Launched } from './supervisor.ts'
import { Supervisor } from './supervisor.ts'

const MEBIBYTE = 1_048_576
const LATEST = { next: () => 1 } as Random

/** Processes that are not there: started at once, as large as is said, and gone when they are stopped. */
function scene(whileMaking: (made: number) => void = () => {}) {
  const clock = new VirtualClock()
  const said: string[] = []
  const weighed: ((mebibytes: number) => void)[] = []
  const supervisor = new Supervisor({
    services: new Map([['orders', 1]]),
    exclusive: new Set(),
    memoryLimitBytes: 300 * MEBIBYTE,
    clock,
    random: LATEST,
    say: (level, message) => void said.push(`${level}: ${message}`),
    onServing: () => {},
    launch(_service, _instance, onMemory): Launched {
      const pid = weighed.length + 1
      weighed.push((mebibytes) => onMemory(mebibytes * MEBIBYTE))
      whileMaking(pid)
      const ended = Promise.withResolvers<string>()
      return {
        pid,
        admin: null,
        startedAtMs: clock.nowMs(),
        started: Promise.resolve(undefined),
        ended: ended.promise,
        serve: () => {},
        stop: async () => ended.resolve('exit code 0'),
      }
    },
  })
  onTestFinished(() => supervisor.stop())
  const pid = (): number | null => supervisor.status()[0]!.pid
  return { clock, said, weighed, supervisor, pid }
}

test('where a process cannot be made, that is a death: it is tried again, after pauses', async () => {
  const { clock, said, supervisor, weighed, pid } = scene((made) => {
    if (made <= 2) throw new Error('spawn EAGAIN')
  })
  await supervisor.start()
  expect(supervisor.status()).toMatchObject([{ state: 'waiting', restarts: 1 }])
  expect(said).toEqual(['warn: orders#1 has ended (its process could not be made: spawn EAGAIN); it is started again in 1 s'])
  await clock.advance(1_000)
  await clock.advance(1_999)
  expect(weighed).toHaveLength(2)
  await clock.advance(1)
  expect(supervisor.status()).toMatchObject([{ state: 'serving', pid: 3, restarts: 2 }])
  expect(pid()).toBe(3)
})

test('where its successor cannot be made, what serves is left alone', async () => {
  const { supervisor, pid } = scene((made) => {
    if (made === 2) throw new Error('spawn EAGAIN')
  })
  await supervisor.start()
  expect(await supervisor.restart('orders')).toBe('orders#1: its process could not be made: spawn EAGAIN')
  expect(pid()).toBe(1)
  expect(await supervisor.restart('orders')).toBeUndefined()
  expect(pid()).toBe(3)
})

test('an instance that is larger than it may be from the start is left as it is, and that is said once', async () => {
  const { clock, said, weighed, supervisor, pid } = scene()
  await supervisor.start()
  for (let times = 0; times < 100; times++) {
    weighed[0]!(310 + times)
    await clock.advance(1_000)
  }
  expect(pid()).toBe(1)
  expect(said.slice(1)).toEqual([
    'error: orders#1 has 310 MiB, and may have 300: it is left as it is, because it had 310 MiB when it had just started, as any other would. Raise --memory',
  ])
})

test('one that becomes too large again and again is replaced more and more slowly, and is said to be in a crash loop', async () => {
  const { clock, said, weighed, supervisor, pid } = scene()
  await supervisor.start()
  const grow = (): void => {
    weighed.at(-1)!(100)
    weighed.at(-1)!(310)
    weighed.at(-1)!(320)
  }
  for (const pauseMs of [1_000, 2_000, 4_000, 8_000, 30_000, 30_000]) {
    const before = pid()
    grow()
    await clock.advance(pauseMs - 1)
    expect(pid()).toBe(before)
    expect(supervisor.status()).toMatchObject([{ crashLoop: pauseMs === 30_000 }])
    await clock.advance(1)
    expect(pid()).toBe(before! + 1)
  }
  const loops = said.filter((line) => line.startsWith('error'))
  expect(loops).toEqual(Array(2).fill('error: orders#1 becomes too large again and again: it leaks, or --memory is too low'))
})

test('what cannot be replaced is tried again as long as it is too large', async () => {
  const { clock, weighed, supervisor, pid } = scene((made) => {
    if (made === 2) throw new Error('spawn EAGAIN')
  })
  await supervisor.start()
  const [first] = weighed
  first!(100)
  first!(310)
  await clock.advance(1_000)
  expect(pid()).toBe(1)
  first!(310)
  await clock.advance(2_000)
  expect(pid()).toBe(3)
})
