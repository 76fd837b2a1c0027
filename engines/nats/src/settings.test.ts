import { expect, test } from 'vitest'
import { settingsOf } from './settings.ts'

test('the prefix and the replicas in the url apply, unless the options do', () => {
  const url = 'nats://mq/?prefix=staging&replicas=3'
  expect(settingsOf({ url })).toMatchObject({ prefix: 'staging', replicas: 3 })
  expect(settingsOf({ url, prefix: 'mine', replicas: 5 })).toMatchObject({ prefix: 'mine', replicas: 5 })
  expect(settingsOf({ url: 'nats://mq' })).toMatchObject({ prefix: 'skerry', replicas: 1 })
})

test('the description names all nodes and no password', () => {
  expect(settingsOf({ url: ['nats://ann:s3cret@a', 'tls://token@b:4333'] }).description).toBe('NATS at a:4222, b:4333')
  expect(() => settingsOf({ url: [] })).toThrow(/at least one url/)
})
