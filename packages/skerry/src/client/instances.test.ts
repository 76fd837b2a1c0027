import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import { seededRandom } from '../base/random.ts'
import { boundOperations } from '../contract/bound-operation.ts'
import { contract } from '../contract/contract.ts'
import { get } from '../contract/operation.ts'
import type { InstanceLink } from './instances.ts'
import { Instances } from './instances.ts'

const stock = contract('stock', { version: '1.0.0', operations: { find: get('/items') } })
const find = boundOperations(stock).get('find')!
const NOBODY = new Set<string>()

function instanceLink(id: string, zone?: string): InstanceLink {
  return { id, zone, link: { send: async () => ({ ok: true, output: undefined }), close: async () => undefined } }
}

function instancesOf(
  ids: readonly string[],
  zone?: string,
): {
  instances: Instances
  clock: VirtualClock
  links: readonly InstanceLink[]
  counts: (times: number, avoid?: Set<string>) => Record<string, number>
} {
  const clock = new VirtualClock()
  const instances = new Instances({ clock, random: seededRandom(7), zone })
  const links = ids.map((id) => instanceLink(id.split('@')[0]!, id.split('@')[1]))
  instances.replace(links)
  return {
    instances,
    clock,
    links,
    counts: (times, avoid = NOBODY) => {
      const counts: Record<string, number> = {}
      for (let made = 0; made < times; made++) {
        const choice = instances.choose(find, avoid)
        const id = choice.chosen ? choice.instance.id : 'nobody'
        counts[id] = (counts[id] ?? 0) + 1
      }
      return counts
    },
  }
}

describe('the instances of a service', () => {
  it('share calls evenly when they are equal', () => {
    const { a, b, c } = instancesOf(['a', 'b', 'c']).counts(3_000) as { a: number; b: number; c: number }
    for (const share of [a, b, c]) expect(share).toBeGreaterThan(800)
  })

  it('that have said that they are about to stop get nothing for a while, unless all have', async () => {
    const { instances, clock, counts } = instancesOf(['going', 'staying'])
    const [going, staying] = instances.all
    going!.leaves()
    expect(counts(100)).toEqual({ staying: 100 })
    staying!.leaves()
    expect(Object.keys(counts(100)).toSorted()).toEqual(['going', 'staying'])
    await clock.advance('5s')
    expect(Object.keys(counts(100)).toSorted()).toEqual(['going', 'staying'])
  })

  it('that are slow or busy get less', () => {
    const { instances, counts, clock } = instancesOf(['slow', 'busy', 'free'])
    const [slow, busy, free] = instances.all
    slow!.record(900, false, clock.nowMs())
    busy!.record(30, false, clock.nowMs())
    free!.record(30, false, clock.nowMs())
    busy!.outstanding = 5
    const { slow: toSlow = 0, busy: toBusy = 0, free: toFree } = counts(3_000)
    expect(toSlow).toBe(0)
    expect(toFree).toBeGreaterThan(toBusy)
  })

  it('that have failed this call already come last', () => {
    const { counts } = instancesOf(['a', 'b', 'c'])
    expect(counts(100, new Set(['a', 'c']))).toEqual({ b: 100 })
    expect(Object.keys(counts(100, new Set(['a', 'b', 'c']))).length).toBe(3)
  })

  it('in the zone of the caller come first, as long as there are any', () => {
    const { counts, instances, links } = instancesOf(['a@here', 'b@there', 'c@here'], 'here')
    expect(Object.keys(counts(200)).toSorted()).toEqual(['a', 'c'])
    instances.replace([links[1]!])
    expect(counts(10)).toEqual({ b: 10 })
  })

  it('that fail again and again are left out for a while, but never more than half of them', async () => {
    const { instances, counts, clock } = instancesOf(['a', 'b', 'c', 'd'])
    const fail = (index: number): void => {
      for (let failed = 0; failed < 5; failed++) instances.all[index]!.record(1, true, clock.nowMs())
    }
    fail(0)
    expect(Object.keys(counts(500)).toSorted()).toEqual(['b', 'c', 'd'])
    fail(1)
    expect(Object.keys(counts(500)).toSorted()).toEqual(['c', 'd'])
    fail(2)
    expect(Object.keys(counts(500)).length).toBeGreaterThan(1)
    await clock.advance('10m')
    expect(Object.keys(counts(2_000)).toSorted()).toEqual(['a', 'b', 'c', 'd'])
  })

  it('that come later get their share bit by bit, and keep what is known of them when others come', async () => {
    const { instances, links, counts, clock } = instancesOf(['a', 'b'])
    const [a] = instances.all
    instances.replace([...links, instanceLink('late')])
    expect(instances.all[0]).toBe(a)
    const early = counts(3_000)['late'] ?? 0
    await clock.advance('60s')
    const later = counts(3_000)['late'] ?? 0
    expect(early).toBeLessThan(later / 2)
  })

  it('are none before any is known: nobody is asked', () => {
    const { instances } = instancesOf([])
    expect(instances.choose(find, NOBODY)).toEqual({ chosen: false, reason: 'no instance of it is known', retryAfterMs: undefined })
  })
})
