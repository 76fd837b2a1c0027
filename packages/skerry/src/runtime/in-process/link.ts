/** The link to a service in this process: what HTTP would carry is handed over as it is, a copy of plain JSON in both directions. */
import type { Link } from '../../client/link.ts'
import type { HostedService } from '../../service/hosted-service.ts'

export function inProcessLink(service: () => HostedService): Link {
  return {
    send({ operation, input, trace, deadlineAtMs, idempotencyKey, signal }) {
      return service().answer({ operation, input, scope: { service: operation.contract, trace, deadlineAtMs }, idempotencyKey, signal })
    },
    close: async () => {},
  }
}
