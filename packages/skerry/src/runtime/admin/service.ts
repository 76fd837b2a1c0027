/**
 * The admin API answered: dead letters, lag, sagas and deprecated operations of the services whose databases are here, and recent telemetry. Every
 * act is audited and logged.
 */
import type { Clock } from '../../base/clock.ts'
import type { NewId } from '../../base/id.ts'
import type { Random } from '../../base/random.ts'
import type { Contract } from '../../contract/contract.ts'
import type { Database } from '../../engine/database.ts'
import type { AuditRow, DeadLetterRow } from '../../events/dead-letter-rows.ts'
import { readAudit, readDeadLetters } from '../../events/dead-letter-rows.ts'
import type { Act, ActResult } from '../../events/dead-letters.ts'
import { discardDeadLetter, eventOf, replayDeadLetter } from '../../events/dead-letters.ts'
import type { EventStatus, Waiting } from '../../events/event-status.ts'
import { readEventStatus } from '../../events/event-status.ts'
import type { HostedService } from '../../service/hosted-service.ts'
import { hostService } from '../../service/hosted-service.ts'
import type { Service } from '../../service/service.ts'
import { service } from '../../service/service.ts'
import type { Log } from '../../telemetry/log.ts'
import type { DeadLetterQuery, LetterView } from './contract.ts'
import { admin, MAX_PAGE } from './contract.ts'
import { deprecationHandlers } from './deprecation-service.ts'
import type { FaultTargets } from './fault-service.ts'
import { faultHandlers } from './fault-service.ts'
import { isPage, readPage, writePage } from './page.ts'
import { sagaHandlers } from './saga-service.ts'
import type { AdminTarget } from './targets.ts'
import { chosenTargets } from './targets.ts'
import type { AdminTelemetry } from './telemetry-service.ts'
import { telemetryHandlers } from './telemetry-service.ts'

export interface AdminOptions {
  readonly targets: readonly AdminTarget[]
  /** The services that are here and have no database. */
  readonly withoutDatabase: readonly Contract[]
  /** What faults can be put into. Default: nothing, for no service runs here. */
  readonly faults?: FaultTargets
  /** Undefined when nothing is kept. */
  readonly telemetry: AdminTelemetry | undefined
  readonly clock: Clock
  readonly random: Random
  readonly newId: NewId
  readonly log: Log
}

export function hostAdmin({
  targets,
  withoutDatabase,
  faults = { faults: undefined, services: [] },
  telemetry,
  clock,
  random,
  newId,
  log,
}: AdminOptions): HostedService {
  const implementation: Service = adminService({ targets, withoutDatabase, faults, telemetry, log })
  return hostService({
    service: implementation,
    database: undefined,
    exclusive: false,
    transactions: undefined,
    clients: {},
    config: {},
    resources: undefined,
    clock,
    random,
    newId,
    log,
  })
}

type Apply = (database: Database, id: string, act: Act) => Promise<ActResult>

function adminService({
  targets,
  withoutDatabase,
  faults,
  telemetry,
  log,
}: Pick<AdminOptions, 'targets' | 'withoutDatabase' | 'telemetry' | 'log'> & { readonly faults: FaultTargets }): Service {
  const chosen = (name: string | undefined): readonly AdminTarget[] | undefined => chosenTargets(targets, name)
  const find = async (id: string): Promise<{ target: AdminTarget; letter: DeadLetterRow } | undefined> => {
    for (const target of targets) {
      const [letter] = await readDeadLetters(target.database, { id }, undefined, 1)
      if (letter !== undefined) return { target, letter }
    }
    return undefined
  }

  async function apply(action: 'replayed' | 'discarded', target: AdminTarget, id: string, act: Act, work: Apply): Promise<ActResult> {
    // Also when the answer to its COMMIT is lost.
    const result = await work(target.database, id, act).finally(() => target.wake())
    if (!result.done) return result
    const { letter } = result
    log.info(`A dead letter was ${action}`, {
      service: letter.consumer,
      deadLetter: letter.id,
      event: letter.type,
      message: letter.message_id,
      key: letter.key,
      cause: letter.cause,
      by: act.by,
      ...(act.note === undefined ? {} : { note: act.note }),
    })
    return result
  }

  async function applyToPage(
    action: 'replayed' | 'discarded',
    within: readonly AdminTarget[],
    query: DeadLetterQuery & { readonly diedUntil?: string | undefined; readonly dryRun?: boolean | undefined },
    act: Act,
    work: Apply,
  ) {
    const { found, next } = await pageOf(within, query)
    const letters: LetterView[] = []
    const refused: { id: string; service: string; key: string; reason: 'gone' | 'passed' | 'notItsTurn' }[] = []
    for (const { target, letter } of found) {
      const result: ActResult = query.dryRun === true ? { done: true, letter } : await apply(action, target, letter.id, act, work)
      if (result.done) letters.push(viewOf(result.letter))
      else refused.push({ id: letter.id, service: letter.consumer, key: letter.key, reason: result.reason })
    }
    return { letters, refused, next }
  }

  return service(admin).implement({
    async eventStatus({ input, fail }) {
      const within = chosen(input.service)
      if (within === undefined) throw fail.serviceNotFound()
      return {
        services: await Promise.all(
          within.map(async (target) => statusView(target, await readEventStatus(target.database, target.service))),
        ),
      }
    },
    async listDeadLetters({ input, fail }) {
      const within = chosen(input.service)
      if (within === undefined) throw fail.serviceNotFound()
      if (!isPage(input.after)) throw fail.pageInvalid()
      const { found, next } = await pageOf(within, input)
      return { letters: found.map(({ letter }) => viewOf(letter)), next }
    },
    async showDeadLetter({ input, fail }) {
      const found = await find(input.id)
      if (found === undefined) throw fail.deadLetterNotFound()
      return { ...viewOf(found.letter), stack: found.letter.stack, body: eventOf(found.letter).body }
    },
    async replayDeadLetter({ input, fail, clock, id }) {
      const { by, note, outOfOrder } = input
      const found = await find(input.id)
      if (found === undefined) throw fail.deadLetterNotFound()
      const act = { by, note, now: clock.now(), newId: id }
      const result = await apply('replayed', found.target, input.id, act, (database, letter) =>
        replayDeadLetter(database, letter, { ...act, outOfOrder }),
      )
      if (result.done) return viewOf(result.letter)
      throw result.reason === 'passed' ? fail.passed() : fail.deadLetterNotFound()
    },
    async discardDeadLetter({ input, fail, clock, id }) {
      const found = await find(input.id)
      if (found === undefined) throw fail.deadLetterNotFound()
      const act = { by: input.by, note: input.note, now: clock.now(), newId: id }
      const result = await apply('discarded', found.target, input.id, act, discardDeadLetter)
      if (result.done) return viewOf(result.letter)
      throw result.reason === 'notItsTurn' ? fail.notItsTurn() : fail.deadLetterNotFound()
    },
    async replayDeadLetters({ input, fail, clock, id }) {
      const within = chosen(input.service)
      if (within === undefined) throw fail.serviceNotFound()
      if (!isPage(input.after)) throw fail.pageInvalid()
      const { by, note, outOfOrder } = input
      return applyToPage('replayed', within, input, { by, note, now: clock.now(), newId: id }, (database, letter, act) =>
        replayDeadLetter(database, letter, { ...act, outOfOrder }),
      )
    },
    async discardDeadLetters({ input, fail, clock, id }) {
      const within = chosen(input.service)
      if (within === undefined) throw fail.serviceNotFound()
      if (!isPage(input.after)) throw fail.pageInvalid()
      const act = { by: input.by, note: input.note, now: clock.now(), newId: id }
      return applyToPage('discarded', within, input, act, discardDeadLetter)
    },
    async listDeadLetterAudit({ input, fail }) {
      const within = chosen(input.service)
      if (within === undefined) throw fail.serviceNotFound()
      const rows = await Promise.all(within.map(({ database }) => readAudit(database, input.limit ?? MAX_PAGE)))
      return { acts: rows.flat().map(auditView) }
    },
    ...sagaHandlers(targets, log),
    ...deprecationHandlers(targets, withoutDatabase),
    ...faultHandlers(faults),
    ...telemetryHandlers(telemetry),
  })
}

interface Found {
  readonly target: AdminTarget
  readonly letter: DeadLetterRow
}

/** The next letters that the query matches, service by service. */
async function pageOf(
  targets: readonly AdminTarget[],
  query: DeadLetterQuery & { readonly diedUntil?: string | undefined },
): Promise<{ readonly found: readonly Found[]; readonly next: string | null }> {
  const { cause, error: errorHash, type, key, diedUntil, limit = MAX_PAGE } = query
  const filter = { cause, errorHash, type, key, diedUntil: diedUntil === undefined ? undefined : new Date(diedUntil) }
  const after = readPage(query.after)
  const found: Found[] = []
  const first = after === undefined ? 0 : targets.findIndex((target) => target.service === after.service)
  for (const target of first === -1 ? [] : targets.slice(first)) {
    const behind = target.service === after?.service ? { diedAt: after.at, id: after.id } : undefined
    const letters = await readDeadLetters(target.database, filter, behind, limit - found.length)
    found.push(...letters.map((letter) => ({ target, letter })))
    if (found.length === limit) {
      const { died_at: at, id } = letters.at(-1)!
      return { found, next: writePage({ service: target.service, at, id }) }
    }
  }
  return { found, next: null }
}

function viewOf(letter: DeadLetterRow): LetterView {
  return {
    id: letter.id,
    service: letter.consumer,
    messageId: letter.message_id,
    topic: letter.topic,
    type: letter.type,
    source: letter.source,
    key: letter.key,
    sequence: letter.seq,
    cause: letter.cause,
    error: letter.error,
    errorHash: letter.error_hash,
    attempts: letter.attempts,
    traceId: letter.trace_id,
    diedAt: letter.died_at.toISOString(),
  }
}

function auditView(row: AuditRow) {
  const { consumer, message_id: messageId, seq: sequence, at, ...rest } = row
  return { ...rest, at: at.toISOString(), service: consumer, messageId, sequence, cause: row.cause as LetterView['cause'] }
}

function statusView({ service: name, topics }: AdminTarget, { outbox, inbox, deadLetters, subscriptions }: EventStatus) {
  const view = ({ count, oldest }: Waiting) => ({ count, oldest: oldest?.toISOString() ?? null })
  return {
    service: name,
    outbox: view(outbox),
    inbox: inbox.map(({ source, early, retry }) => ({ source, early: view(early), retry: view(retry) })),
    deadLetters: deadLetters.map(({ topic, cause, ...waiting }) => ({ topic, cause, ...view(waiting) })),
    subscriptions: subscriptions.map(({ topic, since }) => ({ topic, since: since.toISOString(), declared: topics.includes(topic) })),
  }
}
