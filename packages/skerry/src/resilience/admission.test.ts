import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import type { Priority } from '../base/priority.ts'
import { ADAPTIVE_LIMIT_DEFAULTS } from './adaptive-limit.ts'
import type { Turn } from './admission.ts'
import { Admission } from './admission.ts'

const fixed = (atOnce: number): { limit: typeof ADAPTIVE_LIMIT_DEFAULTS; maxWaitMs: number } => ({
  limit: { ...ADAPTIVE_LIMIT_DEFAULTS, initial: atOnce, min: atOnce, max: atOnce },
  maxWaitMs: 100,
})

/** Whether it may begin, must wait, or is refused. */
function outcomeOf(entered: Turn | Promise<Turn | number> | number): 'begins' | 'waits' | 'is refused' {
  if (typeof entered === 'number') return 'is refused'
  return entered instanceof Promise ? 'waits' : 'begins'
}

describe('a request', () => {
  it('begins at once while there is room, waits while its turn comes soon, and is refused otherwise', () => {
    // Each takes 10 ms until it is known better: eight have their turn within 80 ms.
    const admission = new Admission(new VirtualClock(), fixed(1))
    const outcomes = Array.from({ length: 12 }, () => outcomeOf(admission.enter('normal')))
    expect(outcomes).toEqual(['begins', ...Array.from({ length: 8 }, () => 'waits'), ...Array.from({ length: 3 }, () => 'is refused')])
  })

  it.each<[Priority, number]>([
    ['bulk', 5],
    ['normal', 8],
    ['critical', 10],
  ])('that is %s waits behind %i at most', (priority, most) => {
    const admission = new Admission(new VirtualClock(), fixed(1))
    void admission.enter('critical')
    const waiting = Array.from({ length: 20 }, () => outcomeOf(admission.enter(priority))).filter((outcome) => outcome === 'waits')
    expect(waiting).toHaveLength(most)
  })

  it('that is refused is told when to come back', () => {
    const admission = new Admission(new VirtualClock(), fixed(1))
    for (let waiting = 0; waiting < 9; waiting++) void admission.enter('normal')
    expect(admission.enter('normal')).toBe(90)
  })

  it('that is critical has its turn before those that came earlier and are not', async () => {
    const admission = new Admission(new VirtualClock(), fixed(1))
    const first = admission.enter('bulk') as Turn
    const order: Priority[] = []
    for (const priority of ['bulk', 'normal', 'critical'] as const)
      void (admission.enter(priority) as Promise<Turn>).then((turn) => {
        order.push(priority)
        turn.end()
      })
    first.end()
    await new VirtualClock().advance(1)
    expect(order).toEqual(['critical', 'normal', 'bulk'])
  })

  it('is counted until it has ended, and no more than there is room for are in progress', async () => {
    const clock = new VirtualClock()
    const admission = new Admission(clock, fixed(3))
    let atOnce = 0
    let most = 0
    const one = async (): Promise<void> => {
      const turn = admission.enter('normal')
      if (typeof turn === 'number') return
      const begun = await turn
      if (typeof begun === 'number') return
      most = Math.max(most, ++atOnce)
      await new Promise<void>((resolve) => clock.setTimer(5, resolve))
      atOnce--
      begun.end()
    }
    const all = Promise.all(Array.from({ length: 20 }, one))
    await clock.advance('1s')
    await all
    expect({ most, atOnce, next: outcomeOf(admission.enter('bulk')) }).toEqual({ most: 3, atOnce: 0, next: 'begins' })
  })
})

describe('a request whose caller does not wait for long', () => {
  /** One at once, and the answers take 100 ms. */
  const slow = async (): Promise<{ clock: VirtualClock; admission: Admission; first: Turn }> => {
    const clock = new VirtualClock()
    const admission = new Admission(clock, { ...fixed(1), maxWaitMs: 1_000 })
    for (let learned = 0; learned < 100; learned++) {
      const turn = admission.enter('critical') as Turn
      await clock.advance(100)
      turn.end()
    }
    return { clock, admission, first: admission.enter('critical') as Turn }
  }

  it('is refused at once when his answer would come too late, and waits otherwise', async () => {
    const { admission } = await slow()
    expect(outcomeOf(admission.enter('normal', 240))).toBe('is refused')
    expect(outcomeOf(admission.enter('normal', 260))).toBe('waits')
  })

  it('is refused when his turn comes later than was to be expected, and the next one is begun', async () => {
    const { clock, admission, first } = await slow()
    const [impatient, patient] = [admission.enter('normal', 260), admission.enter('normal', 2_000)]
    await clock.advance(120)
    first.end()
    expect(await impatient).toBeTypeOf('number')
    expect(await patient).toHaveProperty('end')
  })

  it('begins while there is room, however slow the answers have been: they may be faster now', async () => {
    const { admission, first } = await slow()
    first.end()
    expect(outcomeOf(admission.enter('normal', 1))).toBe('begins')
  })
})

describe('a request that others overtake all the time', () => {
  it('is refused when it has waited for twice as long as it may', async () => {
    const clock = new VirtualClock()
    const admission = new Admission(clock, fixed(1))
    const turns: (Turn | number)[] = []
    const serve = async (entered: Turn | Promise<Turn | number> | number): Promise<void> => {
      const turn = await entered
      if (typeof turn === 'number') return
      await new Promise<void>((resolve) => clock.setTimer(10, resolve))
      turn.end()
    }
    void serve(admission.enter('critical'))
    void (admission.enter('bulk') as Promise<Turn | number>).then((turn) => turns.push(turn))
    // One more that is critical as often as one is done.
    for (let ms = 0; ms < 300; ms += 10) {
      void serve(admission.enter('critical'))
      void serve(admission.enter('critical'))
      await clock.advance(10)
    }
    expect(turns).toEqual([50])
  })
})

describe('ten times as much as can be done', () => {
  it('still gets done what can be done, in time', async () => {
    const clock = new VirtualClock()
    const admission = new Admission(clock, { limit: { ...ADAPTIVE_LIMIT_DEFAULTS, initial: 10, min: 10, max: 10 }, maxWaitMs: 500 })
    // Ten at once, 100 ms each: a hundred a second.
    let done = 0
    let slowestMs = 0
    const request = async (): Promise<void> => {
      const cameMs = clock.nowMs()
      const turn = admission.enter('normal')
      if (typeof turn === 'number') return
      const begun = await turn
      if (typeof begun === 'number') return
      await new Promise<void>((resolve) => clock.setTimer(100, resolve))
      begun.end()
      done++
      slowestMs = Math.max(slowestMs, clock.nowMs() - cameMs)
    }
    for (let ms = 0; ms < 20_000; ms++) {
      void request()
      await clock.advance(1)
    }
    expect(done).toBeGreaterThan(20 * 100 * 0.8)
    expect(slowestMs).toBeLessThan(1_500)
  })
})
