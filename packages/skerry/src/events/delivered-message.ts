/** A message that is being handled: what is stored of it, and the spans of its delivery and of its handler. */
import type { Random } from '../base/random.ts'
import { deliveringOf, handlingOf } from '../telemetry/conventions.ts'
import { namedWork } from '../telemetry/named-work.ts'
import type { Scope } from '../telemetry/scope.ts'
import { currentScope, runInScope } from '../telemetry/scope.ts'
import type { Span } from '../telemetry/span.ts'
import type { StartSpan, Telemetry } from '../telemetry/telemetry.ts'
import { silentTelemetry } from '../telemetry/telemetry.ts'
import { parseTraceparent } from '../telemetry/trace-context.ts'
import { describeFailure } from './event-failure.ts'
import type { StoredMessage } from './stored-message.ts'

export interface DeliveredMessage extends StoredMessage {
  /** Part of the trace in which it was emitted. */
  readonly span: Span
}

export class Deliveries {
  readonly #service: string
  readonly #delivering: (type: string) => StartSpan
  readonly #handling: (type: string) => StartSpan

  constructor({
    service,
    random,
    telemetry = silentTelemetry(random),
  }: {
    readonly service: string
    readonly telemetry?: Telemetry | undefined
    readonly random: Random
  }) {
    this.#service = service
    this.#delivering = namedWork(telemetry, (type: string) => deliveringOf(type, service))
    this.#handling = namedWork(telemetry, handlingOf)
  }

  /** Begins; `span.end` must follow. */
  begin(message: StoredMessage): DeliveredMessage {
    const { traceparent, type, id } = message.envelope
    const span = this.#delivering(type)(parseTraceparent(traceparent))
    span.set('messaging.message.id', id)
    return { ...message, span }
  }

  /** In which it is handled. */
  scopeOf({ span, envelope }: DeliveredMessage): Scope {
    return { service: this.#service, trace: span, deadlineAtMs: Infinity, cause: envelope.id }
  }

  /** Runs its handler in the current scope. */
  async handle(type: string, attempt: number, handler: () => Promise<void>): Promise<void> {
    const scope = currentScope()!
    const span = this.#handling(type)(scope.trace)
    if (attempt > 1) span.set('skerry.event.attempt', attempt)
    try {
      await runInScope({ ...scope, trace: span }, handler)
      span.end()
    } catch (error) {
      const { kind, message } = describeFailure(error)
      span.end({ errorType: kind, message })
      throw error
    }
  }
}
