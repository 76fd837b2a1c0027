/**
 * What in a migration would break the version of the service that still runs beside the new one, and the way round: first expand, in this
 * release, then contract, in a later one, when nothing that needs the old is left.
 */
import { statementsOf } from './migrations.ts'

export interface MigrationHazard {
  readonly rule: string
  readonly message: string
  readonly advice: string
}

interface Hazard {
  readonly rule: string
  readonly pattern: RegExp
  readonly says: (match: RegExpExecArray) => string
  readonly advice: string
}

const NAME = String.raw`((?:"[^"]+"|[\w$]+)(?:\.(?:"[^"]+"|[\w$]+))?)`
const IF = String.raw`(?:if (?:not )?exists )?`

const OF_STATEMENTS: readonly Hazard[] = [
  {
    rule: 'migration-drop-table',
    pattern: new RegExp(`^drop table ${IF}${NAME}`),
    says: ([, table]) => `drops the table ${table}, which the version before uses`,
    advice: 'Stop using the table in this release, and drop it in the next.',
  },
  {
    rule: 'migration-drop-object',
    pattern: new RegExp(`^drop (?:materialized )?(view|function|procedure|type|domain|sequence) ${IF}${NAME}`),
    says: ([, kind, name]) => `drops the ${kind} ${name}, which the version before may use`,
    advice: 'Stop using it in this release, and drop it in the next.',
  },
  {
    rule: 'migration-add-unique',
    pattern: new RegExp(`^create unique index ${IF}(?:${NAME} )?on (?:only )?${NAME}`),
    says: (match) => `lets ${match[2]} have some rows only once, which the version before does not know`,
    advice: 'Release code that never writes such rows first, and create the index in the release after it.',
  },
  {
    rule: 'migration-truncate',
    pattern: new RegExp(`^truncate (?:table )?(?:only )?${NAME}`),
    says: ([, table]) => `empties ${table} while the version before works with it`,
    advice: 'Delete what is to go in the service, by a condition that holds for nothing that is still needed.',
  },
]

const OF_ALTERATIONS: readonly Hazard[] = [
  {
    rule: 'migration-drop-column',
    pattern: new RegExp(`^drop (?:column )?(?!constraint\\b)${IF}${NAME}`),
    says: ([, column]) => `drops the column ${column}, which the version before reads and writes`,
    advice: 'Stop using the column in this release (let it be null, or have a default), and drop it in the next.',
  },
  {
    rule: 'migration-rename',
    pattern: new RegExp(`^rename (?:(?:column )?${NAME} )?to ${NAME}`),
    says: (match) => `renames ${match[1] ?? 'the table'} to ${match[2]}, and the version before knows the old name`,
    advice:
      'Add the new one beside the old, write both and fill the new one from the old in this release; read the new one in the next; drop the old one in the one after that.',
  },
  {
    rule: 'migration-add-not-null',
    pattern: new RegExp(
      `^add (?:column )?(?!constraint\\b|check\\b|unique\\b|primary\\b|foreign\\b|exclude\\b)${IF}${NAME} (?!.*\\b(?:default|generated|serial|bigserial|smallserial)\\b).*\\bnot null\\b`,
    ),
    says: ([, column]) => `adds ${column}, which must not be null and has no default: the version before inserts rows without it`,
    advice: 'Add it with a default, or let it be null until the version before is gone and every row has it.',
  },
  {
    rule: 'migration-set-not-null',
    pattern: new RegExp(`^alter (?:column )?${NAME} set not null`),
    says: ([, column]) => `no longer lets ${column} be null, and the version before may leave it so`,
    advice: 'Release code that always sets it first, fill the rows that do not have it, and set it not null in the release after.',
  },
  {
    rule: 'migration-change-type',
    pattern: new RegExp(`^alter (?:column )?${NAME} (?:set data )?type`),
    says: ([, column]) => `changes the type of ${column} under the version before`,
    advice:
      'Add a column of the new type beside it, write both in this release, read the new one in the next, drop the old one in the one after that.',
  },
  {
    rule: 'migration-drop-default',
    pattern: new RegExp(`^alter (?:column )?${NAME} drop default`),
    says: ([, column]) => `takes away the default of ${column}, which the version before relies on when it inserts`,
    advice: 'Release code that always sets it first, and drop the default in the release after.',
  },
  {
    rule: 'migration-add-constraint',
    pattern: new RegExp(`^add (?:constraint ${NAME} )?(check|unique|foreign key|exclude|primary key)\\b`),
    says: (match) => `adds a condition (${match[2]}), and the version before may write rows that do not satisfy it`,
    advice: 'Release code that only writes rows that satisfy it first, and add the condition in the release after.',
  },
]

/** By `-- skerry:allow migration-drop-column: nothing since 1.4.0 reads it`: what its author has made sure of. */
const ALLOWED = /--[^\S\n]*skerry:allow[^\S\n]+([\w-]+):[^\S\n]*\S/g

/** The hazards of migrations that are released together; what they do to tables that they make themselves is none. */
export function migrationHazards(
  migrations: readonly { readonly name: string; readonly sql: string }[],
): readonly (MigrationHazard & { readonly migration: string })[] {
  const made = new Set<string>()
  return migrations.flatMap(({ name, sql }) => {
    const allowed = new Set([...sql.matchAll(ALLOWED)].map(([, rule]) => rule!))
    const found = statementsOf(sql).flatMap((text) => hazardsOf(text.toLowerCase().replaceAll(/\s+/g, ' ').trim(), made))
    return found.filter(({ rule }) => !allowed.has(rule)).map((hazard) => ({ migration: name, ...hazard }))
  })
}

const CREATE = new RegExp(`^create (?:unlogged )?table ${IF}${NAME}`)
const ALTER = new RegExp(`^alter table ${IF}(?:only )?${NAME} (.*)$`)

function hazardsOf(statement: string, made: Set<string>): readonly MigrationHazard[] {
  const created = CREATE.exec(statement)?.[1]
  if (created !== undefined) made.add(created)
  const altered = ALTER.exec(statement)
  if (altered === null)
    return match(OF_STATEMENTS, statement)
      .filter(({ on }) => !made.has(on))
      .map(({ hazard }) => hazard)
  if (made.has(altered[1]!)) return []
  return actionsOf(altered[2]!).flatMap((action) => match(OF_ALTERATIONS, action).map(({ hazard }) => hazard))
}

function match(hazards: readonly Hazard[], text: string): readonly { readonly on: string; readonly hazard: MigrationHazard }[] {
  return hazards.flatMap(({ rule, pattern, says, advice }) => {
    const found = pattern.exec(text)
    return found === null ? [] : [{ on: found.at(-1) ?? '', hazard: { rule, message: says(found), advice } }]
  })
}

/** `alter table` may do several things, with commas between them and inside of parentheses. */
function actionsOf(text: string): readonly string[] {
  const actions: string[] = []
  let [depth, start] = [0, 0]
  for (let index = 0; index < text.length; index++) {
    const character = text[index]
    if (character === '(') depth++
    else if (character === ')') depth--
    else if (character === ',' && depth === 0) {
      actions.push(text.slice(start, index).trim())
      start = index + 1
    }
  }
  return [...actions, text.slice(start).trim()]
}
