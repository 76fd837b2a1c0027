/**
 * What in a migration would break the version of the service that still runs beside the new one, and the way round: first expand, in this
 * release, then contract, in a later one, when nothing that needs the old is left.
 */
import { readSql } from './sql-text.ts'

export interface MigrationHazard {
  readonly rule: MigrationRule
  readonly message: string
  readonly advice: string
}

export type MigrationRule = keyof typeof ADVICE

const ADVICE = {
  'migration-drop-table': 'Stop using the table in this release, and drop it in the next.',
  'migration-drop-object': 'Stop using it in this release, and drop it in the next.',
  'migration-drop-column': 'Stop using the column in this release (let it be null, or have a default), and drop it in the next.',
  'migration-rename':
    'Add the new one beside the old, write both and fill the new one from the old in this release; read the new one in the next; drop the old one in the one after that.',
  'migration-add-not-null': 'Add it with a default, or let it be null until the version before is gone and every row has it.',
  'migration-set-not-null':
    'Release code that always sets it first, fill the rows that do not have it, and set it not null in the release after.',
  'migration-change-type':
    'Add a column of the new type beside it, write both in this release, read the new one in the next, drop the old one in the one after that.',
  'migration-drop-default': 'Release code that always sets it first, and take the default away in the release after.',
  'migration-add-constraint': 'Release code that only writes rows that satisfy it first, and add the condition in the release after.',
  'migration-add-unique': 'Release code that never writes such rows first, and create the index in the release after it.',
  'migration-truncate': 'Delete what is to go in the service, by a condition that holds for nothing that is still needed.',
  'migration-revoke': 'Release code that does without the right first, and take it away in the release after.',
  'migration-do': 'Write what it does as statements of the migration, which can be looked at.',
} as const

/** By `-- skerry:allow migration-drop-column: nothing since 1.4.0 reads it`: what its author has made sure of. */
const ALLOWED = /skerry:allow[^\S\n]+([\w-]+):[^\S\n]*\S/g

/** The hazards of migrations that are released together; what they do to what they make themselves is none. */
export function migrationHazards(
  migrations: readonly { readonly name: string; readonly sql: string }[],
): readonly (MigrationHazard & { readonly migration: string })[] {
  const release = new Release()
  return migrations.flatMap(({ name, sql }) => {
    const { statements, comments } = readSql(sql)
    const allowed = new Set(comments.flatMap((comment) => [...comment.matchAll(ALLOWED)].map(([, rule]) => rule!)))
    return statements
      .flatMap((statement) => release.hazardsOf(normal(statement)))
      .filter(({ rule }) => !allowed.has(rule))
      .map((hazard) => ({ migration: name, ...hazard }))
  })
}

/** In small letters and single spaces, names as PostgreSQL knows them. */
function normal(statement: string): string {
  return (
    statement
      .split(/("(?:[^"]|"")*")/)
      // Quoted names are what splitting by them leaves at every second place.
      .map((part, index) => (index % 2 === 0 ? part.toLowerCase().replaceAll(/\s+/g, ' ') : nameOf(part)))
      .join('')
      .replaceAll(/\bpublic\./g, '')
      .trim()
  )
}

function nameOf(quoted: string): string {
  const name = quoted.slice(1, -1)
  return /^[a-z_][\w$]*$/.test(name) && name === name.toLowerCase() ? name : quoted.replaceAll(/\s/g, '\u00a0')
}

const NAME = String.raw`((?:"[^"]+"|[\w$]+)(?:\.(?:"[^"]+"|[\w$]+))?)`
const IF = String.raw`(?:if (?:not )?exists )?`
const OBJECTS = 'materialized view|view|function|procedure|routine|aggregate|type|domain|sequence|schema|extension'

const CREATE_TABLE = new RegExp(`^create (?:(?:global|local|temp|temporary|unlogged|foreign) )*table ${NAME}`)
const CREATE_OBJECT = new RegExp(`^create (?:temp |temporary )?(?:${OBJECTS}) ${NAME}`)
const CREATE_UNIQUE = new RegExp(
  `^create unique index (?:concurrently )?${IF}(?:${NAME} )?on (?:only )?${NAME} ?(?:using \\w+ ?)?\\((.*?)\\)`,
)
const DROP_TABLE = /^drop (?:foreign )?table (?:if exists )?(.*?)(?: cascade| restrict)?$/
const DROP_OBJECT = new RegExp(`^drop (${OBJECTS}) (?:if exists )?(.*?)(?: cascade| restrict)?$`)
const TRUNCATE = /^truncate (?:table )?(?:only )?(.*?)(?: restart identity| continue identity)?(?: cascade| restrict)?$/
const ALTER_TABLE = new RegExp(`^alter (?:foreign )?table ${IF}(?:only )?${NAME}(?: ?\\*)? (.*)$`)
const ALTER_OBJECT = new RegExp(`^alter (${OBJECTS}) ${IF}${NAME}(?: ?\\(.*?\\))? (.*)$`)

/** Of names with the arguments of a function, the name. */
function namesIn(list: string): readonly string[] {
  return parts(list).map((text) => text.replace(/ ?\(.*$/, ''))
}

class Release {
  readonly #made = new Set<string>()
  /** Columns that are new, as `table.column`. */
  readonly #columns = new Set<string>()

  hazardsOf(statement: string): readonly MigrationHazard[] {
    const made = CREATE_TABLE.exec(statement)?.[1] ?? CREATE_OBJECT.exec(statement)?.[1]
    if (made !== undefined && made !== 'if') this.#made.add(made)
    const dropped = DROP_TABLE.exec(statement)
    if (dropped !== null)
      return this.#each(dropped[1]!, (name) => hazard('migration-drop-table', `drops the table ${name}, which the version before uses`))
    const object = DROP_OBJECT.exec(statement)
    if (object !== null)
      return this.#each(object[2]!, (name) =>
        hazard('migration-drop-object', `drops the ${object[1]} ${name}, which the version before may use`),
      )
    const emptied = TRUNCATE.exec(statement)
    if (emptied !== null)
      return this.#each(emptied[1]!, (name) => hazard('migration-truncate', `empties ${name} while the version before works with it`))
    const unique = CREATE_UNIQUE.exec(statement)
    if (unique !== null && !this.#isNew(unique[2]!, unique[3]!))
      return [hazard('migration-add-unique', `lets ${unique[2]} have some rows only once, which the version before does not know`)]
    const altered = ALTER_TABLE.exec(statement)
    if (altered !== null) return this.#alterTable(altered[1]!, altered[2]!)
    const alteredObject = ALTER_OBJECT.exec(statement)
    if (alteredObject !== null) return this.#alterObject(alteredObject[1]!, alteredObject[2]!, alteredObject[3]!)
    if (/^revoke\b/.test(statement)) return [hazard('migration-revoke', 'takes a right away that the version before may need')]
    if (/^do\b/.test(statement)) return [hazard('migration-do', 'runs a block of code, into which nobody looks')]
    return []
  }

  #each(list: string, says: (name: string) => MigrationHazard): readonly MigrationHazard[] {
    return namesIn(list)
      .filter((name) => !this.#made.has(name))
      .map(says)
  }

  /** Whether the version before knows neither the table nor any of the columns. */
  #isNew(table: string, columns: string): boolean {
    return this.#made.has(table) || namesIn(columns).every((column) => this.#columns.has(`${table}.${column.split(' ')[0]}`))
  }

  #alterTable(table: string, text: string): readonly MigrationHazard[] {
    const renamed = new RegExp(`^rename to ${NAME}$`).exec(text)?.[1]
    if (this.#made.has(table)) {
      if (renamed !== undefined) this.#made.add(renamed)
      return []
    }
    if (renamed !== undefined)
      return [hazard('migration-rename', `renames ${table} to ${renamed}, and the version before knows the old name`)]
    return parts(text).flatMap((action) => this.#alteration(table, action))
  }

  #alteration(table: string, action: string): readonly MigrationHazard[] {
    if (/^(drop constraint|rename constraint)\b/.test(action)) return []
    const dropped = new RegExp(`^drop (?:column )?${IF}${NAME}`).exec(action)?.[1]
    if (dropped !== undefined)
      return this.#columns.has(`${table}.${dropped}`)
        ? []
        : [hazard('migration-drop-column', `drops the column ${dropped}, which the version before reads and writes`)]
    const renamed = new RegExp(`^rename (?:column )?${NAME} to ${NAME}`).exec(action)
    if (renamed !== null) {
      if (this.#columns.has(`${table}.${renamed[1]}`)) return []
      return [hazard('migration-rename', `renames ${renamed[1]} to ${renamed[2]}, and the version before knows the old name`)]
    }
    if (/^set schema\b/.test(action)) return [hazard('migration-rename', `moves ${table} to where the version before does not look`)]
    if (/^detach partition\b/.test(action))
      return [hazard('migration-drop-object', `takes rows out of ${table}, in which the version before looks for them`)]
    if (/^(enable|force) row level security\b/.test(action))
      return [hazard('migration-revoke', `hides rows of ${table} from the version before`)]
    const constraint = new RegExp(`^add (?:constraint ${NAME} )?(check|unique|foreign key|exclude|primary key)\\b(?: ?\\((.*?)\\))?`).exec(
      action,
    )
    if (constraint !== null) {
      if (constraint[2] !== 'check' && constraint[3] !== undefined && this.#isNew(table, constraint[3])) return []
      return [
        hazard(
          'migration-add-constraint',
          `adds a condition (${constraint[2]}), and the version before may write rows that do not satisfy it`,
        ),
      ]
    }
    return this.#columnAlteration(table, action)
  }

  #columnAlteration(table: string, action: string): readonly MigrationHazard[] {
    const added = new RegExp(`^add (?:column )?${IF}${NAME} (.*)$`).exec(action)
    if (added !== null) {
      const [, column, definition] = added as unknown as [string, string, string]
      this.#columns.add(`${table}.${column}`)
      return isLeftOut(definition)
        ? []
        : [
            hazard(
              'migration-add-not-null',
              `adds ${column}, which must not be null and has no default: the version before inserts rows without it`,
            ),
          ]
    }
    const altered = new RegExp(`^alter (?:column )?${NAME} (.*)$`).exec(action)
    if (altered === null) return []
    const [, column, change] = altered as unknown as [string, string, string]
    if (/^set not null\b/.test(change))
      return [hazard('migration-set-not-null', `no longer lets ${column} be null, and the version before may leave it so`)]
    if (/^(set data )?type\b/.test(change))
      return [hazard('migration-change-type', `changes the type of ${column} under the version before`)]
    if (/^drop (default|identity)\b/.test(change))
      return [hazard('migration-drop-default', `takes away what ${column} is when the version before inserts a row without it`)]
    return []
  }

  #alterObject(kind: string, name: string, change: string): readonly MigrationHazard[] {
    if (this.#made.has(name)) return []
    if (/^(rename|set schema)\b/.test(change))
      return [
        hazard('migration-rename', `changes what the ${kind} ${name} or a part of it is called, and the version before knows the old name`),
      ]
    if (/^(drop attribute|alter attribute)\b/.test(change))
      return [hazard('migration-change-type', `changes the ${kind} ${name} under the version before`)]
    if (kind === 'domain' && /^(add|set not null)\b/.test(change))
      return [
        hazard('migration-add-constraint', `adds a condition to ${name}, and the version before may write values that do not satisfy it`),
      ]
    return []
  }
}

/** Whether a row may be inserted without the column. */
function isLeftOut(definition: string): boolean {
  // What stands in parentheses is a size, a default or a condition.
  const outside = withoutParentheses(definition)
  if (!/\bnot null\b|\bprimary key\b/.test(outside)) return true
  if (/\bgenerated\b|^(small|big)?serial\b/.test(outside)) return true
  return /\bdefault\b/.test(outside) && !/\bdefault null\b/.test(outside)
}

function withoutParentheses(text: string): string {
  let depth = 0
  let outside = ''
  for (const character of text.split('')) {
    if (character === '(') depth++
    if (depth === 0) outside += character
    if (character === ')') depth--
  }
  return outside
}

/** What stands between commas, but for those inside of parentheses. */
function parts(text: string): readonly string[] {
  const found: string[] = []
  let [depth, start] = [0, 0]
  for (let index = 0; index < text.length; index++) {
    if (text[index] === '(') depth++
    else if (text[index] === ')') depth--
    else if (text[index] === ',' && depth === 0) {
      found.push(text.slice(start, index).trim())
      start = index + 1
    }
  }
  return [...found, text.slice(start).trim()]
}

function hazard(rule: MigrationRule, message: string): MigrationHazard {
  return { rule, message, advice: ADVICE[rule] }
}
