import { brokerConformance } from 'skerry/conformance'
import { describe, expect, test } from 'vitest'
import { nats } from './index.ts'

const url = process.env['SKERRY_TEST_NATS_URL']!

describe('conformance', () => {
  const engine = nats({ url, retryDelayMs: 5 })
  test.each(brokerConformance)('$name', async (promise) => {
    await expect(promise.run(engine)).resolves.toBeUndefined()
  })
})
