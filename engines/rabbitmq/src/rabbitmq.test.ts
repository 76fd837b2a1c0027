import { brokerConformance } from 'skerry/conformance'
import { describe, expect, test } from 'vitest'
import { rabbitmq } from './index.ts'

const url = process.env['SKERRY_TEST_RABBITMQ_URL']!

describe('conformance', () => {
  const engine = rabbitmq({ url, retryDelayMs: 5 })
  test.each(brokerConformance)('$name', async (promise) => {
    await expect(promise.run(engine)).resolves.toBeUndefined()
  })
})
