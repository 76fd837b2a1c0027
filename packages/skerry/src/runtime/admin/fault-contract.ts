/** The operations of the admin API for faults that are put into a running host on purpose. */
import { del, get, post } from '../../contract/operation.ts'
import type { PlainSchema } from '../../contract/plain-schema.ts'
import { choice, list, nullable, object, optional, text, whole } from '../../contract/plain-schema.ts'
import { problem } from '../../contract/problem.ts'
import { FAULT_EFFECTS, FAULT_PROBLEMS, MAX_FAULTS } from '../../service/injected-faults.ts'

const DAY_MS = 86_400_000
const name = text({ maxLength: 1_000 })
const id = text({ format: 'uuid' })

const Fault = object({
  id,
  service: name,
  of: nullable(name),
  field: nullable(name),
  value: nullable(name),
  percent: whole(),
  effect: choice(FAULT_EFFECTS),
  latencyMs: whole(),
  problem: choice(FAULT_PROBLEMS),
  seed: whole(),
  endsAt: text({ format: 'date-time' }),
  met: whole({ description: 'How many requests and events have met it' }),
})

const faultsRefused = problem(403, 'This host takes no faults: it is in production, and SKERRY_FAULTS is not "on"')

export const faultOperations = {
  listFaults: get('/faults', {
    input: object({}),
    output: object({ faults: list(Fault) }),
    summary: 'Faults that were injected and have not ended',
  }),
  injectFault: post('/faults', {
    input: object({
      service: name,
      of: optional(text({ maxLength: 1_000, description: 'One of its operations, or the type of an event that it handles. Default: all' })),
      field: optional(text({ maxLength: 200, description: 'Only what has `value` in this field of its input' })),
      value: optional(name),
      percent: optional(whole({ minimum: 1, maximum: 100, description: 'How many of a hundred meet it. Default: all' })),
      effect: choice(FAULT_EFFECTS),
      latencyMs: optional(whole({ minimum: 1, maximum: 600_000, description: 'Of `latency`. Default: 1000' })),
      problem: optional(choice(FAULT_PROBLEMS)),
      seed: optional(whole({ description: 'Decides who meets it. Default: 1' })),
      forMs: optional(whole({ minimum: 1, maximum: DAY_MS, description: 'It ends by itself after so long. Default: 600000' })),
    }),
    output: Fault,
    errors: {
      faultsRefused,
      serviceNotFound: problem(404, 'This host does not run such a service'),
      targetNotFound: problem(404, 'The service has no such operation, and handles no such event', object({ known: list(text()) })),
      tooManyFaults: problem(409, `There are ${MAX_FAULTS} faults already`),
    },
    summary: 'Make a service slow, failing, silent or dead, for a while',
  }),
  removeFault: del('/faults/{id}', {
    input: object({ id }),
    output: Fault,
    errors: { faultNotFound: problem(404, 'There is no such fault, or it has ended') },
    summary: 'End an injected fault; what hangs because of it goes on',
  }),
}

type ValueOf<S> = S extends PlainSchema<infer T> ? T : never
export type FaultView = ValueOf<typeof Fault>
