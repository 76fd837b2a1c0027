import { systemClock } from 'skerry/engine'
import { expect, onTestFinished, test } from 'vitest'
import { Instance } from './instance.ts'

test('one whose process cannot be made has ended, with why, and can be stopped', async () => {
  const { execPath } = process
  onTestFinished(() => void (process.execPath = execPath))
  process.execPath = '/nowhere/node'
  const instance = new Instance({
    file: '/nowhere/system.ts',
    service: 'orders',
    verbose: false,
    environment: {},
    clock: systemClock,
    onLine: () => {},
    onMemory: () => {},
  })
  expect(await instance.started).toMatch(/^its process could not be made: .*ENOENT/)
  expect(await instance.ended).toBe(await instance.started)
  expect(instance.pid).toBe(0)
  await instance.stop()
})
