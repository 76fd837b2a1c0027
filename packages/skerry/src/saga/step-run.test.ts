import { expect, test } from 'vitest'
import { z } from 'zod'
import { VirtualClock } from '../base/clock.ts'
import { seededRandom } from '../base/random.ts'
import { CallError } from '../contract/call-error.ts'
import { currentScope } from '../telemetry/scope.ts'
import { childTrace } from '../telemetry/trace-context.ts'
import { declareSaga } from './definition.ts'
import { runStep } from './step-run.ts'

const { definition } = declareSaga('shop', 'checkout', { input: z.object({}) }).step('pay', { run: async () => 1 })
const random = seededRandom(1)

const run = (work: () => Promise<unknown>, isFirst = true) =>
  runStep({
    step: definition.stages[0]![0]!,
    before: { status: 'running', attempts: 0 },
    isFirst,
    keyPrefix: 'saga/pay/run',
    scope: { service: 'shop', trace: childTrace(undefined, random), deadlineAtMs: Infinity },
    clock: new VirtualClock(),
    random,
    work,
  })

test.each([
  ['soldOut', 1, true, false, 'refused'],
  ['soldOut', 2, true, true, 'aborted'],
  ['idempotencyKeyReused', 1, true, true, 'aborted'],
  ['unavailable', 1, true, true, 'failed'],
  // The answer to the attempt before was lost: only who would repeat it is known to have done nothing.
  ['soldOut', 1, false, true, 'refused'],
  ['soldOut', 1, false, false, 'aborted'],
] as const)('a step answered with %s at call %i, first: %s, kept: %s, is %s', async (code, calls, isFirst, isKept, kind) => {
  const outcome = await run(async () => {
    for (let call = 0; call < calls; call++) currentScope()!.idempotencyKeyFor!('stock.reserve', isKept)
    throw new CallError('stock', 'reserve', { code, status: 409, detail: 'no', data: {} })
  }, isFirst)
  expect(outcome.kind).toBe(kind)
})

class Money {
  readonly #cents = 1
  get cents(): number {
    return this.#cents
  }
}

test.each([
  ['a bigint', { count: 1n }, /"count" is a bigint/],
  ['a map', { items: new Map([['a', 1]]) }, /"items" is a Map/],
  ['a set in a list', [new Set([1])], /"0" is a Set/],
  ['an error', new Error('no'), /the value is a Error/],
  ['an object with what only its methods know', { price: new Money() }, /"price" is a Money/],
  ['bytes', { picture: new Uint8Array(3) }, /"picture" is a Uint8Array/],
  ['a function', { then_: () => 1 }, /"then_" is a function/],
  ['a symbol', Symbol('a'), /the value is a symbol/],
  ['no number', { cents: Number.NaN }, /"cents" is NaN/],
])('a step that gives %s is broken for good, and says why', async (_, output, message) => {
  const outcome = await run(async () => output)
  expect(outcome).toMatchObject({ kind: 'aborted', broken: true, message: expect.stringMatching(message) as string })
})

test('what JSON says is kept, and nothing is nothing', async () => {
  const at = new Date(0)
  expect(await run(async () => ({ at, list: [1, 'a', null], left: undefined }))).toEqual({
    kind: 'done',
    output: { at: at.toISOString(), list: [1, 'a', null] },
  })
  expect(await run(async () => undefined)).toEqual({ kind: 'done', output: undefined })
})
