import { expect, test } from 'vitest'
import { settingsOf } from './settings.ts'

test('what the url says of topics applies, unless the options do', () => {
  const url = 'kafka://mq/?prefix=staging&partitions=24&replicas=3'
  expect(settingsOf({ url })).toMatchObject({ prefix: 'staging', partitions: 24, replicas: 3 })
  expect(settingsOf({ url, prefix: 'mine', partitions: 6, replicas: 5 })).toMatchObject({ prefix: 'mine', partitions: 6, replicas: 5 })
  expect(settingsOf({ url: 'kafka://mq' })).toMatchObject({ prefix: 'skerry', partitions: 12, replicas: undefined })
})

test('the description names all servers and no password', () => {
  expect(settingsOf({ url: ['kafka://ann:s3cret@a', 'kafka://b:9095'] }).description).toBe('Kafka at a:9092, b:9095')
  expect(() => settingsOf({ url: [] })).toThrow(/at least one url/)
})
