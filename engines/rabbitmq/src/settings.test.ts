import { expect, test } from 'vitest'
import { settingsOf } from './settings.ts'

test('the prefix in the url names exchange and queues, unless the options do', () => {
  const url = 'amqp://mq/?prefix=staging'
  expect(settingsOf({ url })).toMatchObject({ exchange: 'staging', prefix: 'staging' })
  expect(settingsOf({ url, prefix: 'mine' })).toMatchObject({ exchange: 'staging', prefix: 'mine' })
  expect(settingsOf({ url: 'amqp://mq' })).toMatchObject({ exchange: 'skerry', prefix: 'skerry' })
})
