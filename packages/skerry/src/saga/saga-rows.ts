/** Reading sagas for people: how far each is, and what was done and decided. Needs the database alone, not the code of the saga. */
import type { Queryable } from '../engine/database.ts'
import { parseTraceparent } from '../telemetry/trace-context.ts'
import type { SagaFailure } from './definition.ts'
import type { SagaRow } from './saga-store.ts'
import { stateOf } from './saga-store.ts'
import type { SagaState, StepState } from './saga.ts'
import { ENDING } from './saga.ts'
import type { Shape, StepOutline } from './shape.ts'
import { outlineOf } from './shape.ts'

export const SAGA_STATUSES = ['running', 'waiting', 'compensating', 'parked', 'completed', 'compensated'] as const
/** As people see it: `waiting` is running, and waits for an event. */
export type SagaStatus = (typeof SAGA_STATUSES)[number]

export interface SagaSummary {
  readonly id: string
  readonly name: string
  readonly version: number
  readonly status: SagaStatus
  /** The steps it is at; none while it ends, and when it has ended. */
  readonly at: readonly string[]
  readonly parkedBecause: string | null
  /** What it waits for. */
  readonly wait: { readonly type: string; readonly key: string } | null
  readonly startedAt: Date
  readonly endedAt: Date | null
  /** When it will be looked at by itself; null for never, and while it is being worked on. */
  readonly nextAt: Date | null
}

export interface SagaStepView extends Pick<StepState, 'attempts'> {
  readonly name: string
  /** `ending`: what runs when all is done or undone, listed only while it fails. */
  readonly kind: StepOutline['kind'] | 'ending'
  readonly pivot: boolean
  /** Steps of one stage run side by side; counted from 1. */
  readonly stage: number
  /** `pending`: not begun. */
  readonly status: StepState['status'] | 'pending'
  readonly deferrals: number
  readonly output: unknown
  readonly error: string | null
  readonly retryAt: Date | null
  /** When it came to be so. */
  readonly recordedAt: Date | null
}

export interface SagaIntervention {
  readonly at: Date
  readonly action: string
  readonly step: string | null
  readonly by: string
}

export interface SagaDetails extends SagaSummary {
  readonly input: unknown
  readonly failure: SagaFailure | null
  readonly cancelCode: string | null
  readonly traceId: string | null
  readonly steps: readonly SagaStepView[]
  /** The latest acts of people, oldest first. */
  readonly interventions: readonly SagaIntervention[]
  /** What is known of when, oldest first. */
  readonly timeline: readonly { readonly at: Date; readonly what: string }[]
}

export interface SagaFilter {
  readonly id?: string | undefined
  readonly name?: string | undefined
  readonly status?: SagaStatus | undefined
}

/** The place behind a saga, from the newest on. */
export interface SagaPlace {
  readonly at: Date
  readonly id: string
}

export interface SummaryRow extends SagaRow {
  readonly past_pivot: boolean
  readonly wait_type: string | null
  readonly wait_key: string | null
  readonly ended_at: Date | null
  readonly owner: string | null
  readonly next_at: Date | null
}

export interface ReadSaga {
  readonly row: SummaryRow
  readonly state: SagaState
}

const COLUMNS = `id, name, version, status, input, failure, parked_because, cancel_code, past_pivot, wait_type, wait_key, traceparent,
  started_at, ended_at, owner, epoch, unfinished, next_at`
const MAX_INTERVENTIONS = 200

/** Up to `limit` sagas behind `after`, the newest first. */
export async function readSagas(
  on: Queryable,
  { id, name, status }: SagaFilter,
  after: SagaPlace | undefined,
  limit: number,
): Promise<readonly SagaSummary[]> {
  const { rows } = await on.query<SummaryRow>(
    `select ${COLUMNS} from skerry_saga where ($1::uuid is null or id = $1) and ($2::text is null or name = $2)
       and ($3::text is null or $3 = case when status = 'running' and wait_type is not null then 'waiting' else status end)
       and ($4::timestamptz is null or (started_at, id) < ($4, $5::uuid)) order by started_at desc, id desc limit $6`,
    [id ?? null, name ?? null, status ?? null, after?.at ?? null, after?.id ?? null, limit],
  )
  if (rows.length === 0) return []
  const outlines = await readOutlines(
    on,
    rows.map((row) => row.name),
  )
  return (await withSteps(on, rows)).map((saga) => summaryOf(saga, outlines))
}

export async function readSaga(on: Queryable, id: string): Promise<SagaDetails | undefined> {
  const { rows } = await on.query<SummaryRow>(`select ${COLUMNS} from skerry_saga where id = $1`, [id])
  const [saga] = await withSteps(on, rows)
  if (saga === undefined) return undefined
  const { rows: acts } = await on.query<SagaIntervention>(
    `select at, action, step, by from skerry_saga_intervention where saga_id = $1 order by id desc limit $2`,
    [id, MAX_INTERVENTIONS],
  )
  const outlines = await readOutlines(on, [saga.row.name])
  const summary = summaryOf(saga, outlines)
  const steps = stepViews(saga.state, outlineFor(outlines, saga.row))
  const interventions = acts.toReversed()
  return {
    ...summary,
    input: saga.state.input,
    failure: saga.state.failure ?? null,
    cancelCode: saga.state.cancelCode ?? null,
    traceId: parseTraceparent(saga.row.traceparent)?.traceId ?? null,
    steps,
    interventions,
    timeline: timelineOf(summary, steps, interventions),
  }
}

export interface OpenSagas {
  readonly saga: string
  readonly status: string
  readonly count: number
  readonly oldest: Date
}

/** Up to here they are counted, so that it costs little however many there are. */
const MAX_COUNTED = 10_000

/** Those that have not ended. */
export async function countSagas(on: Queryable): Promise<readonly OpenSagas[]> {
  const { rows } = await on.query<OpenSagas>(
    `select name as saga, status, count(*) as count, min(started_at) as oldest from (
       select name, status, started_at from skerry_saga where status in ('running', 'compensating', 'parked') limit $1
     ) bounded group by name, status order by name, status`,
    [MAX_COUNTED],
  )
  return rows
}

/** One saga, which nobody else changes before the transaction ends. */
export async function lockSaga(on: Queryable, id: string): Promise<ReadSaga | undefined> {
  const { rows } = await on.query<SummaryRow>(`select ${COLUMNS} from skerry_saga where id = $1 for update`, [id])
  return (await withSteps(on, rows))[0]
}

async function withSteps(on: Queryable, rows: readonly SummaryRow[]): Promise<readonly ReadSaga[]> {
  const { rows: steps } = await on.query<{ saga_id: string; step: string; state: string }>(
    `select saga_id, step, state from skerry_saga_step where saga_id = any($1::uuid[])`,
    [rows.map(({ id }) => id)],
  )
  const stepsOf = Map.groupBy(steps, ({ saga_id }) => saga_id)
  return rows.map((row) => ({ row, state: stateOf(row, stepsOf.get(row.id) ?? []) }))
}

type Outline = readonly (readonly StepOutline[])[]

async function readOutlines(on: Queryable, names: readonly string[]): Promise<ReadonlyMap<string, Outline>> {
  const { rows } = await on.query<{ name: string; version: number; shape: string }>(
    `select name, version, shape from skerry_saga_definition where name = any($1::text[])`,
    [[...new Set(names)]],
  )
  return new Map(rows.map(({ name, version, shape }) => [`${name}@${version}`, outlineOf(JSON.parse(shape) as Shape)]))
}

function outlineFor(outlines: ReadonlyMap<string, Outline>, { name, version }: Pick<SagaRow, 'name' | 'version'>): Outline {
  return outlines.get(`${name}@${version}`) ?? []
}

function summaryOf({ row, state }: ReadSaga, outlines: ReadonlyMap<string, Outline>): SagaSummary {
  const { id, name, version } = row
  const waits = state.status === 'running' && row.wait_type !== null
  return {
    id,
    name,
    version,
    status: waits ? 'waiting' : state.status,
    at: stepsAt(state, outlineFor(outlines, row)),
    parkedBecause: state.status === 'parked' ? (state.parkedBecause ?? null) : null,
    wait: waits ? { type: row.wait_type, key: row.wait_key! } : null,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    nextAt: row.owner === null ? laterOf(row.next_at, row.started_at) : null,
  }
}

/** What is due at once is marked so by a time before all others. */
function laterOf(at: Date | null, start: Date): Date | null {
  return at === null || at > start ? at : start
}

function stepsAt({ status, steps }: SagaState, outline: Outline): readonly string[] {
  const of = (matches: (step: StepState) => boolean) =>
    outline.flat().flatMap(({ name }) => (steps[name] !== undefined && matches(steps[name]) ? [name] : []))
  if (status === 'parked') return of(({ parked }) => parked === true)
  if (status === 'compensating') return of((step) => step.status === 'undoing')
  if (status !== 'running') return []
  const isOpen = ({ name }: StepOutline): boolean => steps[name]?.status !== 'done' && steps[name]?.status !== 'skipped'
  return (outline.find((stage) => stage.some(isOpen)) ?? []).filter(isOpen).map(({ name }) => name)
}

function stepViews({ steps }: SagaState, outline: Outline): readonly SagaStepView[] {
  const declared = outline.flatMap((stage, index) => stage.map((step) => viewOf({ ...step, stage: index + 1 }, steps[step.name])))
  const ending = steps[ENDING]
  return ending === undefined
    ? declared
    : [...declared, viewOf({ name: ENDING, kind: 'ending', pivot: false, stage: outline.length + 1 }, ending)]
}

function viewOf(step: Pick<SagaStepView, 'name' | 'kind' | 'pivot' | 'stage'>, state: StepState | undefined): SagaStepView {
  return {
    name: step.name,
    kind: step.kind,
    pivot: step.pivot,
    stage: step.stage,
    status: state?.status ?? 'pending',
    attempts: state?.attempts ?? 0,
    deferrals: state?.deferrals ?? 0,
    output: state?.output ?? null,
    error: state?.error ?? null,
    retryAt: dateOf(state?.retryAtMs),
    recordedAt: dateOf(state?.atMs),
  }
}

function timelineOf(
  { status, startedAt, endedAt }: SagaSummary,
  steps: readonly SagaStepView[],
  interventions: readonly SagaIntervention[],
): SagaDetails['timeline'] {
  const entries = [
    { at: startedAt, what: 'started' },
    ...steps.flatMap((step) => (step.recordedAt === null ? [] : [{ at: step.recordedAt, what: `${step.name} ${step.status}` }])),
    ...interventions.map(({ at, action, step, by }) => ({ at, what: `${action}${step === null ? '' : ` of ${step}`} by ${by}` })),
    ...(endedAt === null ? [] : [{ at: endedAt, what: status }]),
  ]
  return entries.toSorted((one, other) => one.at.getTime() - other.at.getTime())
}

function dateOf(ms: number | undefined): Date | null {
  return ms === undefined ? null : new Date(ms)
}
