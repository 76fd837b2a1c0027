import { describe, expect, test } from 'vitest'
import { systemClock } from '../base/clock.ts'
import { brokerConformance } from '../testing/conformance/index.ts'
import { embeddedBroker } from './embedded-broker.ts'

describe('conformance', () => {
  const engine = embeddedBroker({ clock: systemClock, retryDelayMs: 5 })
  test.each(brokerConformance)('$name', async (promise) => {
    await expect(promise.run(engine)).resolves.toBeUndefined()
  })
})
