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

test.each([
  ['soldOut', 1, true, false, 'refused'],
  ['soldOut', 2, true, true, 'aborted'],
  ['idempotencyKeyReused', 1, true, true, 'aborted'],
  ['unavailable', 1, true, true, 'failed'],
  // The answer to the attempt before was lost: only who would repeat it is known to have done nothing.
  ['soldOut', 1, false, true, 'refused'],
  ['soldOut', 1, false, false, 'aborted'],
] as const)('a step answered with %s at call %i, first: %s, kept: %s, is %s', async (code, calls, isFirst, isKept, kind) => {
  const outcome = await runStep({
    step: definition.stages[0]![0]!,
    before: { status: 'running', attempts: 0 },
    isFirst,
    keyPrefix: 'saga/pay/run',
    scope: { service: 'shop', trace: childTrace(undefined, random), deadlineAtMs: Infinity },
    clock: new VirtualClock(),
    random,
    async work() {
      for (let call = 0; call < calls; call++) currentScope()!.idempotencyKeyFor!('stock.reserve', isKept)
      throw new CallError('stock', 'reserve', { code, status: 409, detail: 'no', data: {} })
    },
  })
  expect(outcome.kind).toBe(kind)
})
