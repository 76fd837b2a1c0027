/** The admin API answered for sagas. Every act is recorded with the saga and logged, and the host's own worker takes it up at once. */
import type { SagaActResult, SagaDetails, SagaSummary } from '../../saga/index.ts'
import { cancelSaga, readSaga, readSagas, retrySaga, skipSagaStep } from '../../saga/index.ts'
import type { service } from '../../service/service.ts'
import type { Log } from '../../telemetry/log.ts'
import type { admin } from './contract.ts'
import { MAX_PAGE } from './contract.ts'
import { isPage, readPage, writePage } from './page.ts'
import type { SagaView, WholeSagaView } from './saga-contract.ts'
import type { AdminTarget } from './targets.ts'
import { chosenTargets } from './targets.ts'

type Handlers = Parameters<ReturnType<typeof service<typeof admin>>['implement']>[0]
type SagaHandlers = Pick<Handlers, 'listSagas' | 'showSaga' | 'retrySaga' | 'skipSagaStep' | 'cancelSaga'>

const DEFAULT_CODE = 'cancelled'

export function sagaHandlers(targets: readonly AdminTarget[], log: Log): SagaHandlers {
  /** Tries each service: an id does not say whose it is. */
  async function act(
    what: string,
    { id, by }: { readonly id: string; readonly by: string },
    work: (target: AdminTarget) => Promise<SagaActResult>,
  ): Promise<{ readonly done: SagaView } | { readonly refused: Extract<SagaActResult, { done: false }>['refused'] }> {
    for (const target of targets) {
      const result = await work(target)
      if (!result.done && result.refused === undefined) continue
      if (!result.done) return { refused: result.refused }
      log.info(`A saga was ${what}`, { service: target.service, saga: result.saga.name, id, at: result.saga.at, by })
      target.wake()
      return { done: viewOf(target, result.saga) }
    }
    return { refused: undefined }
  }

  return {
    async listSagas({ input, fail }) {
      const within = chosenTargets(targets, input.service)
      if (within === undefined) throw fail.serviceNotFound()
      if (!isPage(input.after)) throw fail.pageInvalid()
      const { limit = MAX_PAGE, name, status } = input
      const after = readPage(input.after)
      const first = after === undefined ? 0 : within.findIndex((target) => target.service === after.service)
      const sagas: SagaView[] = []
      for (const target of first === -1 ? [] : within.slice(first)) {
        const { service, database } = target
        const found = await readSagas(database, { name, status }, service === after?.service ? after : undefined, limit - sagas.length)
        sagas.push(...found.map((saga) => viewOf(target, saga)))
        const last = found.at(-1)
        if (sagas.length === limit && last !== undefined) return { sagas, next: writePage({ service, at: last.startedAt, id: last.id }) }
      }
      return { sagas, next: null }
    },
    async showSaga({ input, fail }) {
      for (const target of targets) {
        const saga = await readSaga(target.database, input.id)
        if (saga !== undefined) return wholeViewOf(target, saga)
      }
      throw fail.sagaNotFound()
    },
    async retrySaga({ input, fail, clock }) {
      const { id, by } = input
      const result = await act('retried', input, ({ database }) => retrySaga(database, id, { by, now: clock.now() }))
      if ('done' in result) return result.done
      throw result.refused === undefined ? fail.sagaNotFound() : fail.sagaRefused(result.refused, result.refused.because)
    },
    async skipSagaStep({ input, fail, clock }) {
      const { id, by, step, output } = input
      const result = await act('led past a step', input, ({ database }) =>
        skipSagaStep(database, id, { by, step, output, now: clock.now() }),
      )
      if ('done' in result) return result.done
      throw result.refused === undefined ? fail.sagaNotFound() : fail.sagaRefused(result.refused, result.refused.because)
    },
    async cancelSaga({ input, fail, clock }) {
      const { id, by, reason: code = DEFAULT_CODE } = input
      const result = await act('cancelled', input, ({ database }) => cancelSaga(database, id, { by, code, now: clock.now() }))
      if ('done' in result) return result.done
      throw result.refused === undefined ? fail.sagaNotFound() : fail.sagaRefused(result.refused, result.refused.because)
    },
  }
}

function viewOf({ service, sagas }: AdminTarget, { startedAt, endedAt, nextAt, ...saga }: SagaSummary): SagaView {
  const isKnown = sagas.includes(`${saga.name}@${saga.version}`)
  return { ...saga, service, isKnown, startedAt: startedAt.toISOString(), endedAt: textOf(endedAt), nextAt: textOf(nextAt) }
}

function wholeViewOf(target: AdminTarget, saga: SagaDetails): WholeSagaView {
  const { input, cancelCode, traceId } = saga
  return {
    ...viewOf(target, saga),
    input,
    cancelCode,
    traceId,
    failure: saga.failure === null ? null : { ...saga.failure, step: saga.failure.step ?? null },
    steps: saga.steps.map((step) => ({ ...step, retryAt: textOf(step.retryAt), recordedAt: textOf(step.recordedAt) })),
    interventions: saga.interventions.map(({ action, at, ...rest }) => ({
      ...rest,
      at: at.toISOString(),
      action: action as 'retry' | 'skip' | 'cancel',
    })),
    timeline: saga.timeline.map(({ at, what }) => ({ at: at.toISOString(), what })),
  }
}

function textOf(at: Date | null): string | null {
  return at?.toISOString() ?? null
}
