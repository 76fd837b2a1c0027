/**
 * The link to a service in this process: what HTTP would carry is handed over as it is, a copy of plain JSON in both
 * directions, and what HTTP could not carry is refused as it would be there.
 */
import { copyJson } from '../../base/json.ts'
import type { Link } from '../../client/link.ts'
import type { HostedService } from '../../service/hosted-service.ts'

export function inProcessLink(service: () => HostedService): Link {
  return {
    async send({ operation, input, trace, deadlineAtMs, idempotencyKey, userAgent, record, signal }) {
      const answer = await service().answer({
        operation,
        input: operation.http.carry(input),
        trace,
        deadlineAtMs,
        record,
        idempotencyKey,
        userAgent,
        signal,
      })
      return answer.ok ? { ...answer, output: copyJson(answer.output) } : answer
    },
    close: async () => {},
  }
}
