import { expect, test } from 'vitest'
import { contract } from './contract.ts'
import type { Deprecation } from './deprecation.ts'
import { get } from './operation.ts'

test.each<readonly [Deprecation, string]>([
  [{ since: 'soon' }, '"soon" is not a day such as 2026-11-01'],
  [{ since: '2026-02-30' }, '"2026-02-30" is not a day such as 2026-11-01'],
  [{ since: '2026-11-01', sunset: '2026-11-01T12:00:00Z' }, '"2026-11-01T12:00:00Z" is not a day such as 2026-11-01'],
  [{ since: '2026-11-01', sunset: '2026-10-31' }, 'it may be gone on 2026-10-31, before it is deprecated on 2026-11-01'],
])('%j is refused', (deprecated, mistake) => {
  expect(() => contract('dated', { version: '1.0.0', operations: { old: get('/old', { deprecated }) } })).toThrow(
    `old: deprecated: ${mistake}`,
  )
})
