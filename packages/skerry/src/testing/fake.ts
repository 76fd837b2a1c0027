/** A stand-in for a service that is not under test: its contract, with as many answers as the test needs. Inputs and outputs are checked as the real one's would be. */
import type { Contract } from '../contract/contract.ts'
import type { Operation } from '../contract/operation.ts'
import type { InputOf, OutputOf, Schema } from '../contract/schema.ts'
import type { Fail } from '../service/context.ts'
import type { Service } from '../service/service.ts'
import { service } from '../service/service.ts'

type FakeHandler<O> =
  O extends Operation<infer I, infer Out, infer E>
    ? (
        input: OutputOf<I>,
        context: { readonly fail: Fail<E>; readonly idempotencyKey: string | undefined },
      ) => Promise<Out extends Schema ? InputOf<Out> : void>
    : never

export type FakeHandlers<C extends Contract> = { readonly [K in keyof C['operations']]?: FakeHandler<C['operations'][K]> }

/**
 * Fakes a service. An operation without an answer fails with an error that says so.
 *
 * @example fake(inventory, { reserve: async () => ({ reservationId: 'r1' }) })
 */
export function fake<C extends Contract>(contract: C, handlers: FakeHandlers<C>): Service<C> {
  const answers = handlers as Readonly<Record<string, ((input: unknown, context: unknown) => Promise<unknown>) | undefined>>
  const all = Object.fromEntries(
    Object.keys(contract.operations).map((name) => [
      name,
      async (context: { readonly input: unknown }) => {
        const answer = answers[name]
        if (answer === undefined)
          throw new Error(`The fake of "${contract.name}" has no answer for ${name}: add it to fake(${contract.name}, { ${name}: … })`)
        return answer(context.input, context)
      },
    ]),
  )
  return service(contract).implement(all as never)
}
