import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import type { Database, DatabaseEngine } from '../engine/database.ts'
import { migrate } from '../service/migrations.ts'
import { testDatabaseEngine } from '../testing/test-databases.ts'
import { fairShare, releaseLeases, shareLeases } from './lease.ts'
import { PARTS } from './outbox.ts'

describe('fairShare', () => {
  it.each([
    [64, 1, 64],
    [64, 2, 32],
    [64, 3, 22],
    [64, 64, 1],
    [64, 100, 1],
    [64, 0, 64],
  ])('of %d parts among %d members is %d', (parts, members, share) => {
    expect(fairShare(parts, members)).toBe(share)
    expect(share * Math.max(1, members)).toBeGreaterThanOrEqual(parts)
  })
})

describe('leases', () => {
  const TTL_MS = 5_000
  const ANN = '00000000-0000-7000-8000-00000000000a'
  const BOB = '00000000-0000-7000-8000-00000000000b'
  const EVE = '00000000-0000-7000-8000-00000000000e'
  let engine: DatabaseEngine
  let database: Database
  let nowMs: number

  beforeAll(async () => {
    engine = await testDatabaseEngine()
    database = await engine.open({ service: 'orders', shared: true })
    await migrate({ service: 'orders', database, folder: undefined, clock: new VirtualClock() })
  })
  afterAll(() => engine.close())
  beforeEach(async () => {
    nowMs = Date.UTC(2026, 0, 1)
    await database.query('update skerry_lease set owner = null, expires_at = null, epoch = 0')
    await database.query('delete from skerry_lease_member')
  })

  const share = (owner: string): Promise<readonly number[]> =>
    shareLeases(database, { name: 'relay', owner, parts: PARTS, now: new Date(nowMs), ttlMs: TTL_MS })
  const all = Array.from({ length: PARTS }, (_, part) => part)
  const ascending = (parts: readonly number[]): readonly number[] => parts.toSorted((a, b) => a - b)

  /** Every member asks once; no part may ever be with two of them. */
  async function round(...owners: string[]): Promise<number[]> {
    const held = new Map<string, readonly number[]>()
    for (const owner of owners) held.set(owner, await share(owner))
    const parts = [...held.values()].flat()
    expect(new Set(parts).size).toBe(parts.length)
    return owners.map((owner) => held.get(owner)!.length)
  }

  it('are all with one host when it is alone, for as long as it renews them', async () => {
    for (let time = 0; time < 5; time++) {
      expect(ascending(await share(ANN))).toEqual(all)
      nowMs += TTL_MS - 1
    }
  })

  it('are given up to a host that joins, until the shares are equal', async () => {
    expect(await round(ANN)).toEqual([64])
    expect(await round(BOB)).toEqual([0])
    expect(await round(ANN, BOB)).toEqual([32, 32])
    expect(await round(EVE, ANN, BOB)).toEqual([0, 22, 22])
    expect(await round(ANN, BOB, EVE)).toEqual([22, 22, 20])
  })

  it('of a host that died go to the others when they have expired, with a new epoch', async () => {
    await round(ANN, BOB)
    await round(ANN, BOB)
    nowMs += TTL_MS
    expect(await round(ANN)).toEqual([32])
    nowMs += 1
    expect(await round(ANN)).toEqual([64])
    // Those that Bob had: to Ann at first, then to him, now to her again.
    const { rows } = await database.query(
      `select epoch, count(*) as parts from skerry_lease where name = 'relay' group by epoch order by epoch`,
    )
    expect(rows).toEqual([
      { epoch: 1, parts: 32 },
      { epoch: 3, parts: 32 },
    ])
  })

  it('of a host that stops go to the others at once', async () => {
    await round(ANN, BOB)
    await round(ANN, BOB)
    await releaseLeases(database, 'relay', BOB)
    expect(await round(ANN)).toEqual([64])
  })

  it('come back to a host that was taken for dead, part by part, and are never with two', async () => {
    await round(ANN)
    nowMs += TTL_MS + 1
    expect(await round(BOB)).toEqual([64])
    expect(await round(ANN)).toEqual([0])
    expect(await round(BOB, ANN)).toEqual([32, 32])
  })

  it('are shared out among hosts that ask at the same moment', async () => {
    await Promise.all([share(ANN), share(BOB), share(EVE)])
    await Promise.all([share(ANN), share(BOB), share(EVE)])
    const held = await round(ANN, BOB, EVE)
    expect(held.reduce((sum, parts) => sum + parts)).toBe(PARTS)
    expect(Math.max(...held)).toBeLessThanOrEqual(22)
  })
})
