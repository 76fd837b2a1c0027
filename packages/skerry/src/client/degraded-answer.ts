/** What a caller answers in place of an operation that did not: checked like any answer, and marked as what it is. */
import type { Clock } from '../base/clock.ts'
import { SkerryError } from '../base/errors.ts'
import { copyJson } from '../base/json.ts'
import type { BoundOperation } from '../contract/bound-operation.ts'
import type { Degradation } from '../contract/degradation.ts'
import { validate } from '../contract/schema.ts'
import type { InfrastructureFailure } from './call.ts'
import type { Fallback } from './fallback.ts'
import { infrastructureFailure } from './infrastructure-failure.ts'
import type { CallResponse } from './link.ts'
import type { FallbackRules } from './rules.ts'

/** The answer instead, or the response as it is when it needs none or there is none. Rejects for mistakes in the fallback. */
export async function degradedAnswer(
  operation: BoundOperation,
  { known, otherwise }: FallbackRules,
  input: unknown,
  question: string | undefined,
  response: CallResponse & { ok: false },
  clock: Clock,
): Promise<CallResponse> {
  const failure = infrastructureFailure(operation, response)
  if (failure === undefined) return response
  const answered = (output: unknown, how: Pick<Degradation, 'answer' | 'ageMs'>): CallResponse => ({
    ok: true,
    output,
    degraded: [{ operation: operation.fullName, because: failure.code, ...how }],
  })
  const last = question === undefined ? undefined : known?.find(question, clock.nowMs())
  if (last !== undefined) return answered(last.value, { answer: 'lastKnown', ageMs: last.ageMs })
  if (otherwise === undefined) return response
  const checked = await validate(operation.operation.input, input)
  // The callee would have refused it.
  if (!checked.ok) return response
  const made = await madeUp(operation, otherwise, checked.value, failure)
  return made === undefined ? response : answered(made.output, { answer: 'fallback' })
}

async function madeUp(
  { fullName, operation }: BoundOperation,
  make: Fallback,
  input: unknown,
  failure: InfrastructureFailure,
): Promise<{ readonly output: unknown } | undefined> {
  const output = await make({ input: input as never, failure })
  if (operation.output === undefined) return { output: undefined }
  if (output === undefined) return undefined
  const checked = await validate(operation.output, copyJson(output))
  if (checked.ok) return { output: checked.value }
  const issues = checked.issues.map(({ path, message }) => `${path || 'the value'}: ${message}`).join('; ')
  throw new SkerryError('contractBroken', `The fallback of ${fullName} answers what its contract does not promise: ${issues}`)
}
