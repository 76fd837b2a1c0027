import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AnsweringEnd, AskingEnd, sharedMemory, SLOTS } from './shared-channel.ts'

/** Bytes that tell which message they are, of any length. */
function message(number: number, length: number): Uint8Array {
  return new Uint8Array(length).fill(number % 251)
}

const TOO_LONG = 100_000

describe('the channel in shared memory', () => {
  it('gives each request its answer, in order, whatever is long or short and however many are on their way', () => {
    const size = fc.oneof(fc.nat(300), fc.constant(0), fc.constant(16_384), fc.constant(16_385), fc.constant(65_537), fc.constant(TOO_LONG))
    const act = fc.oneof(fc.record({ ask: size }), fc.record({ answer: size }))
    fc.assert(
      fc.property(fc.array(act, { maxLength: 120 }), fc.constantFrom(0, 2 ** 31 - 20), (acts, first) => {
        const memory = sharedMemory(first)
        const asking = new AskingEnd(memory)
        const answering = new AnsweringEnd(memory)
        const toAnswerer: Uint8Array[] = []
        const toAsker: Uint8Array[] = []
        const asked: Uint8Array[] = []
        const answered: Uint8Array[] = []
        const taken: Uint8Array[] = []
        let read = 0
        for (const step of acts)
          if ('ask' in step) {
            if (asked.length - taken.length === SLOTS) expect(asking.hasRoom).toBe(false)
            if (!asking.hasRoom) continue
            const request = message(asked.length, step.ask)
            asked.push(request)
            asking.send(request, () => toAnswerer.push(request))
          } else if (read < asked.length) {
            expect(answering.next(0) ?? toAnswerer.shift()).toEqual(asked[read])
            const answer = message(read++ + 7, step.answer)
            answered.push(answer)
            answering.answer(
              answer,
              () => toAsker.push(answer),
              () => undefined,
            )
            if (read % 3 === 0) taken.push(asking.take(() => toAsker.shift())!)
          }
        for (let next = asking.take(() => toAsker.shift()); next !== undefined; next = asking.take(() => toAsker.shift())) taken.push(next)
        expect(taken).toEqual(answered)
        expect(toAsker).toEqual([])
      }),
    )
  })

  it('wakes the one who sleeps, and only then', () => {
    const memory = sharedMemory()
    const asking = new AskingEnd(memory)
    const answering = new AnsweringEnd(memory)
    let woken = 0
    const exchange = (): void => {
      asking.send(message(1, 10), () => undefined)
      answering.next(0)
    }
    const answer = (): void =>
      answering.answer(
        message(2, 10),
        () => undefined,
        () => woken++,
      )
    exchange()
    answer()
    expect(woken).toBe(0)
    expect(asking.sleep()).toBe(false)
    asking.take(() => undefined)
    exchange()
    expect(asking.sleep()).toBe(true)
    answer()
    expect(woken).toBe(1)
  })

  it('hands out copies: what is written later does not change them', () => {
    const memory = sharedMemory()
    const asking = new AskingEnd(memory)
    const answering = new AnsweringEnd(memory)
    const exchange = (number: number): Uint8Array => {
      asking.send(message(number, 10), () => undefined)
      const request = answering.next(0)!
      answering.answer(
        request,
        () => undefined,
        () => undefined,
      )
      return asking.take(() => undefined)!
    }
    const first = exchange(1)
    for (let number = 2; number < 2 + SLOTS; number++) exchange(number)
    expect(first).toEqual(message(1, 10))
  })
})
