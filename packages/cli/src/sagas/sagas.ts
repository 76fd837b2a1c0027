/** `skerry sagas`: lists, shows, retries, skips and cancels. It asks nothing: each act is on one saga that is named by its id. */
import type { AdminOptions, Call } from '../admin/access.ts'
import { withAdmin } from '../admin/access.ts'
import { print, refuseNoId, whoever } from '../admin/command.ts'
import { sagaLines, shownSaga } from './saga-text.ts'

type Saga = Awaited<ReturnType<Call['retrySaga']>>

export interface ListOptions extends AdminOptions {
  readonly name?: string
  readonly status?: Saga['status']
  readonly after?: string
  readonly limit: number
}

export interface ActOptions extends AdminOptions {
  readonly by?: string
}

export interface SkipOptions extends ActOptions {
  readonly step?: string
  readonly output?: unknown
}

export interface CancelOptions extends ActOptions {
  readonly reason?: string
}

const PAGE = 200

export async function listSagas(options: ListOptions): Promise<void> {
  const { service, name, status, limit, json } = options
  const filter = {
    ...(service === undefined ? {} : { service }),
    ...(name === undefined ? {} : { name }),
    ...(status === undefined ? {} : { status }),
  }
  await withAdmin(options, async (call, clock) => {
    const sagas: Saga[] = []
    let { after } = options
    do {
      const place = after === undefined ? {} : { after }
      const page = await call.listSagas({ ...filter, ...place, limit: Math.min(PAGE, limit - sagas.length) })
      sagas.push(...page.sagas)
      after = page.next ?? undefined
    } while (after !== undefined && sagas.length < limit)
    if (json === true) return print(JSON.stringify({ sagas, next: after ?? null }))
    for (const saga of sagas) print(sagaLines(saga, clock.now().getTime()))
    const count = sagas.length === 0 ? 'No sagas' : sagas.length === 1 ? '1 saga' : `${sagas.length} sagas`
    print(`${count}.${after === undefined ? '' : ` There are more: go on with --after ${after}, or narrow it down.`}`)
  })
}

export async function showSaga(id: string, options: AdminOptions): Promise<void> {
  refuse(id)
  await withAdmin(options, async (call) => {
    const saga = await call.showSaga({ id })
    print(options.json === true ? JSON.stringify(saga) : shownSaga(saga))
  })
}

export async function retrySaga(id: string, options: ActOptions): Promise<void> {
  await act(id, options, 'Goes on.', (call, which) => call.retrySaga(which))
}

export async function skipSagaStep(id: string, options: SkipOptions): Promise<void> {
  const { step, output } = options
  const what = { ...(step === undefined ? {} : { step }), ...(output === undefined ? {} : { output }) }
  await act(id, options, 'Goes on behind that step.', (call, which) => call.skipSagaStep({ ...which, ...what }))
}

export async function cancelSaga(id: string, options: CancelOptions): Promise<void> {
  const { reason } = options
  await act(id, options, 'Will be undone.', (call, which) => call.cancelSaga({ ...which, ...(reason === undefined ? {} : { reason }) }))
}

async function act(
  id: string,
  options: ActOptions,
  done: string,
  work: (call: Call, which: { id: string; by: string }) => Promise<Saga>,
): Promise<void> {
  refuse(id)
  await withAdmin(options, async (call, clock) => {
    const saga = await work(call, { id, by: options.by ?? whoever() })
    print(options.json === true ? JSON.stringify(saga) : `${sagaLines(saga, clock.now().getTime())}\n${done}`)
  })
}

function refuse(id: string): void {
  refuseNoId(id, 'saga', 'skerry sagas list')
}
