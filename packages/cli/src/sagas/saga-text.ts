/** Sagas for people. */
import type { Call } from '../admin/access.ts'
import { age, cut, indented, oneLine, printable } from '../admin/text.ts'

type Whole = Awaited<ReturnType<Call['showSaga']>>
type Saga = Awaited<ReturnType<Call['retrySaga']>>
type Step = Whole['steps'][number]

/** One line, and a second one when it waits for a person, an event, or a host that knows it. */
export function sagaLines(saga: Saga, nowMs: number): string {
  const { id, service, name, version, status, at, wait, parkedBecause, startedAt } = saga
  const where = at.length === 0 ? '' : ` at ${at.join(', ')}`
  const why = unknownVersion(saga) ?? parkedBecause ?? (wait === null ? undefined : `waits for ${wait.type} of key ${wait.key}`)
  const line = `${id}  ${service}  ${oneLine(name)} v${version}  ${status}${oneLine(where)}  ${age(nowMs - Date.parse(startedAt))}`
  return why === undefined ? line : `${line}\n    ${cut(oneLine(why))}`
}

/** What has ended needs no code. */
function unknownVersion({ name, version, isKnown, endedAt }: Saga): string | null {
  if (isKnown || endedAt !== null) return null
  return `The code of ${name} version ${version} is not here: it goes on only with a host that has it`
}

export function shownSaga(saga: Whole): string {
  const { failure, wait } = saga
  const rows: [string, string | null][] = [
    ['id', saga.id],
    ['service', saga.service],
    ['saga', `${saga.name} version ${saga.version}`],
    ['status', saga.status],
    ['at', saga.at.length === 0 ? null : saga.at.join(', ')],
    ['unknown', unknownVersion(saga)],
    ['parked', saga.parkedBecause],
    ['waits for', wait === null ? null : `${wait.type} of key ${wait.key}`],
    [
      'failure',
      failure === null
        ? null
        : `${failure.reason} (${failure.code})${failure.step === null ? '' : ` at ${failure.step}`}: ${failure.message}`,
    ],
    ['cancelled', saga.cancelCode],
    ['next', saga.nextAt],
    ['trace', saga.traceId],
  ]
  return [
    ...rows.filter(([, value]) => value !== null).map(([label, value]) => `${label.padEnd(12)}${oneLine(String(value))}`),
    '',
    'input',
    printable(indented(saga.input)),
    '',
    'steps',
    ...saga.steps.map(stepText),
    '',
    'timeline',
    ...saga.timeline.map(({ at, what }) => `  ${at}  ${oneLine(what)}`),
  ].join('\n')
}

function stepText(step: Step): string {
  const { name, kind, pivot, stage, status, attempts, deferrals, error, output, retryAt } = step
  const failed = attempts === 0 ? [] : [`${attempts} failed`]
  const deferred = deferrals === 0 ? [] : [`${deferrals} not reached`]
  const next = retryAt === null ? [] : [`next ${retryAt}`]
  const line = [`  ${stage}. ${name}`, kind + (pivot ? ', pivot' : ''), status, ...failed, ...deferred, ...next].join('  ')
  const more = [...(output === null ? [] : [`gave ${JSON.stringify(output)}`]), ...(error === null ? [] : [`error ${error}`])]
  return [oneLine(line), ...more.map((text) => `       ${cut(oneLine(text))}`)].join('\n')
}
