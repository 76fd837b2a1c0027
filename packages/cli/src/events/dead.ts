/** `skerry events dead`: lists, shows, replays and discards dead letters. It asks nothing: what it would do to many, it does with `--yes`. */
import type { Call, AdminOptions } from '../admin/access.ts'
import { withAdmin } from '../admin/access.ts'
import { print, refuseNoId, whoever } from '../admin/command.ts'
import { oneLine } from '../admin/text.ts'
import { CommandError, EXIT } from '../failure.ts'
import { letterLines, shownLetter } from './letter-text.ts'

export interface FilterOptions extends AdminOptions {
  readonly cause?: Cause
  /** The error hash. */
  readonly error?: string
  readonly type?: string
  readonly key?: string
}

export interface ListOptions extends FilterOptions {
  readonly limit: number
}

export interface ActOptions extends FilterOptions {
  readonly all?: boolean
  readonly dryRun?: boolean
  readonly by?: string
  readonly note?: string
}

export interface ReplayOptions extends ActOptions {
  readonly outOfOrder?: boolean
}

export interface DiscardOptions extends ActOptions {
  readonly yes?: boolean
}

type Letter = Awaited<ReturnType<Call['showDeadLetter']>>
type Cause = Letter['cause']
type Page = Awaited<ReturnType<Call['replayDeadLetters']>>

const PAGE = 200

export async function listDead(options: ListOptions): Promise<void> {
  await withAdmin(options, async (call) => {
    const letters: Page['letters'][number][] = []
    let after: string | undefined
    do {
      const page = await call.listDeadLetters({
        ...filterOf(options),
        ...placeOf(after),
        limit: Math.min(PAGE, options.limit - letters.length),
      })
      letters.push(...page.letters)
      after = page.next ?? undefined
    } while (after !== undefined && letters.length < options.limit)
    if (options.json === true) return print(JSON.stringify({ letters, more: after !== undefined }))
    for (const letter of letters) print(letterLines(letter))
    print(`${counted(letters.length)}.${after === undefined ? '' : ` There are more: raise --limit, or narrow it down.`}`)
  })
}

export async function showDead(id: string, options: AdminOptions): Promise<void> {
  refuseNoId(id, 'dead letter', 'skerry events dead list')
  await withAdmin(options, async (call) => {
    const letter = await call.showDeadLetter({ id })
    print(options.json === true ? JSON.stringify(letter) : shownLetter(letter))
  })
}

export async function replayDead(id: string | undefined, options: ReplayOptions): Promise<void> {
  refuseUnclear(id, options)
  const outOfOrder = options.outOfOrder === true ? { outOfOrder: true } : {}
  await act(id, options, {
    done: 'replayed',
    one: (call, which) => call.replayDeadLetter({ ...which, ...outOfOrder }),
    many: (call, which) => call.replayDeadLetters({ ...which, ...outOfOrder }),
  })
}

export async function discardDead(id: string | undefined, options: DiscardOptions): Promise<void> {
  refuseUnclear(id, options)
  await act(id, options, {
    done: 'discarded',
    one: (call, which) => call.discardDeadLetter(which),
    many: (call, which) => call.discardDeadLetters(which),
    ...(id === undefined && options.yes !== true
      ? { unlessConfirmed: 'Say --yes to discard them for good, or --dry-run to see them.' }
      : {}),
  })
}

export async function auditDead(options: ListOptions): Promise<void> {
  await withAdmin(options, async (call) => {
    const { acts } = await call.listDeadLetterAudit({ ...serviceOf(options), limit: Math.min(PAGE, options.limit) })
    if (options.json === true) return print(JSON.stringify({ acts }))
    for (const { at, by, action, type, key, service, letter, note } of acts)
      print(
        `${at}  ${oneLine(by)}  ${action}  ${service}  ${oneLine(type)} of key ${oneLine(key)}  ${letter}${note === null ? '' : `\n    ${oneLine(note)}`}`,
      )
    if (acts.length === 0) print('Nobody has replayed or discarded anything.')
  })
}

interface Acting {
  readonly done: 'replayed' | 'discarded'
  readonly one: (call: Call, which: { id: string; by: string; note?: string }) => Promise<Page['letters'][number]>
  readonly many: (call: Call, which: Parameters<Call['discardDeadLetters']>[0]) => Promise<Page>
  /** What to do to have it done; it is only counted then. */
  readonly unlessConfirmed?: string
}

async function act(id: string | undefined, options: ActOptions, acting: Acting): Promise<void> {
  const by = { by: options.by ?? whoever(), ...(options.note === undefined ? {} : { note: options.note }) }
  await withAdmin(options, async (call, clock) => {
    const isDry = options.dryRun === true
    if (id !== undefined) {
      const letter = isDry ? await call.showDeadLetter({ id }) : await acting.one(call, { id, ...by })
      if (options.json === true) return print(JSON.stringify({ [acting.done]: [letter.id], refused: [], dryRun: isDry }))
      return print(`${letterLines(letter)}\n${isDry ? 'Would be' : 'Was'} ${acting.done}.`)
    }
    const dryRun = isDry || acting.unlessConfirmed !== undefined
    const done: string[] = []
    const refused: Page['refused'][number][] = []
    const diedUntil = clock.now().toISOString()
    let after: string | undefined
    do {
      const page = await acting.many(call, { ...filterOf(options), ...by, ...placeOf(after), diedUntil, dryRun })
      done.push(...page.letters.map((letter) => letter.id))
      refused.push(...page.refused)
      if (options.json !== true && acting.unlessConfirmed === undefined) for (const letter of page.letters) print(letterLines(letter))
      after = page.next ?? undefined
    } while (after !== undefined)
    const count = done.length
    if (acting.unlessConfirmed !== undefined && !isDry && count > 0)
      throw new CommandError(EXIT.usage, `This would have ${acting.done} ${counted(count)}.`, acting.unlessConfirmed)
    if (options.json === true) print(JSON.stringify({ [acting.done]: done, refused, dryRun }))
    else print(`${counted(count)} ${isDry ? 'would be' : count === 1 ? 'was' : 'were'} ${acting.done}.`)
    if (refused.length > 0)
      throw new CommandError(
        EXIT.failed,
        `${refused.length} could not be ${acting.done}:\n${refused.map((one) => `  ${one.id}  ${one.service}  key ${oneLine(one.key)}: ${REASONS[one.reason]}`).join('\n')}`,
        'Run the command again for those whose turn has come since; see skerry events dead show for the others.',
      )
  })
}

const REASONS: Readonly<Record<Page['refused'][number]['reason'], string>> = {
  gone: 'somebody else was faster',
  passed: 'its key has gone on without it; --out-of-order replays it all the same',
  notItsTurn: 'an earlier one of its key waits, is dead or may still come',
}

function refuseUnclear(id: string | undefined, options: ActOptions): void {
  const filters = Object.entries({ ...filterOf(options), ...(options.all === true ? { all: true } : {}) }).map(([name]) => `--${name}`)
  if (id !== undefined) refuseNoId(id, 'dead letter', 'skerry events dead list')
  if (id !== undefined && filters.filter((name) => name !== '--service').length > 0)
    throw new CommandError(
      EXIT.usage,
      `An id and ${filters.join(', ')} at once.`,
      'Name one letter by its id, or several by what they have in common.',
    )
  if (id === undefined && filters.length === 0)
    throw new CommandError(
      EXIT.usage,
      'It was not said which dead letters.',
      'Give the id of one, or --cause, --error, --type, --key, --service, or --all. See skerry events dead list.',
    )
}

function filterOf({ service, cause, error, type, key }: FilterOptions) {
  return {
    ...(service === undefined ? {} : { service }),
    ...(cause === undefined ? {} : { cause }),
    ...(error === undefined ? {} : { error }),
    ...(type === undefined ? {} : { type }),
    ...(key === undefined ? {} : { key }),
  }
}

function serviceOf({ service }: AdminOptions) {
  return service === undefined ? {} : { service }
}

function placeOf(after: string | undefined) {
  return after === undefined ? {} : { after }
}

function counted(letters: number): string {
  return letters === 0 ? 'No dead letters' : letters === 1 ? '1 dead letter' : `${letters} dead letters`
}
