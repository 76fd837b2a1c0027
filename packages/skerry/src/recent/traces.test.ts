import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StatementSync } from 'node:sqlite'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import { hexadecimal, spanFor } from './fixtures/span.ts'
import { openRecent } from './recent.ts'
import { findTraces } from './traces.ts'

class CountingDatabase extends DatabaseSync {
  prepared = 0

  override prepare(sql: string): StatementSync {
    this.prepared++
    return super.prepare(sql)
  }
}

test('traces without a failure are found without asking each of the others, page by page', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'skerry-traces-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const file = join(directory, 'recent.sqlite')
  const recent = openRecent({ place: { file }, clock: new VirtualClock(), process: 'test', onTrouble: () => {} })
  for (let number = 0; number < 1_000; number++) {
    const traceId = hexadecimal(number, 32)
    recent.onSpan(spanFor({ traceId }))
    // The failure is not what matches the rest of the filter.
    recent.onSpan(spanFor({ traceId, service: 'users', failure: number % 400 === 0 ? undefined : 'it failed' }))
  }
  recent.close()
  const database = new CountingDatabase(file, { readOnly: true })
  onTestFinished(() => database.close())
  const first = findTraces(database, { service: 'orders', status: 'ok' }, 2)
  const second = findTraces(database, { service: 'orders', status: 'ok', before: first.next }, 2)
  expect(first.traces.map(({ traceId }) => traceId)).toEqual([hexadecimal(800, 32), hexadecimal(400, 32)])
  expect(second).toMatchObject({ traces: [{ traceId: hexadecimal(0, 32), failures: 0 }], next: undefined })
  expect(database.prepared).toBeLessThan(20)
})
