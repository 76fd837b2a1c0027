/**
 * The real database of simulations: one PGlite, opened and migrated once, and for each seed put back to what the migrations left. Only
 * tables that hold something are emptied: making them anew, or copying the whole, takes longer than most runs.
 */
import type { Database, DatabaseEngine, Queryable } from '../engine/database.ts'
import { WORLD_START_MS } from './world.ts'

/** As text, because the core does not depend on it. */
const PGLITE: string = '@skerry/pglite'

/** The tables are small, and to plan each statement for its parameters takes longer than running it. */
const SETTINGS = { plan_cache_mode: 'force_generic_plan' }

interface Table {
  readonly service: string
  readonly table: string
}

interface PgliteEngine extends DatabaseEngine {
  empty(tables: readonly Table[]): Promise<void>
}

interface PgliteModule {
  readonly pglite: (options: { readonly thread: 'main'; readonly settings: Readonly<Record<string, string>> }) => PgliteEngine
}

interface KeptTable {
  readonly name: string
  /** Those that can be written. */
  readonly columns: readonly string[]
  /** What it held when the migrations had ended, as JSON; undefined when that was nothing. */
  readonly rows: string | undefined
}

/** What one database begins each run with. */
interface Kept {
  /** Those that others refer to come first. */
  readonly tables: readonly KeptTable[]
  readonly sequences: string
}

/** Written to, a table may hold the same and still give it in another order: where rows have been is not where they are. */
const MAY_WRITE = /insert|(?<!\bfor |\bkey )update|delete|merge|truncate|\bdo\b|call/i

/** As JSON has a `timestamptz`, in UTC. */
const MOMENT = /"\d{4}-\d\d-\d\dT[\d:.]+\+00:00"/g
const BEGINNING = `"${new Date(WORLD_START_MS).toISOString().slice(0, 19)}+00:00"`

function sinceThen(moment: string, sinceMs: number): string {
  return Date.parse(moment.slice(1, -1)) >= sinceMs ? BEGINNING : moment
}

const TABLES = `
with recursive own as (
  select c.oid, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = current_schema() and c.relkind in ('r', 'p')
), refers as (
  select distinct conrelid as child, confrelid as parent from pg_constraint where contype = 'f' and conrelid <> confrelid
), below as (
  select oid as root, oid from own union select below.root, refers.child from below join refers on refers.parent = below.oid
)
select own.relname as name,
       (select array_agg(a.attname::text order by a.attnum) from pg_attribute a
        where a.attrelid = own.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns
from own order by (select count(*) from below where below.root = own.oid) desc, own.relname`
/**
 * Tables of all services that have been written to since they were empty, whoever did it and whatever came of it: those that are kept always
 * have. Asked once for all, and of these alone: the size of a table is that of a file.
 */
const TOUCHED = `
with own as materialized (
  select n.nspname as schema, c.relname as name, c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = any($1::text[]) and c.relkind = 'r'
)
select schema, name from own where pg_relation_size(oid) > 0`
/** One statement that puts all sequences back. */
const SEQUENCES = `
select coalesce(string_agg(format('setval(%L, %s, %L)', format('%I.%I', schemaname, sequencename), coalesce(last_value, start_value), last_value is not null), ', '), '') as calls
from pg_sequences where schemaname = current_schema()`

export class Store {
  readonly #engine: PgliteEngine
  readonly #databases = new Map<string, Database>()
  readonly #kept = new Map<string, Kept>()
  /** The statements of each service since everything was put back that may have written. */
  readonly #writes = new Map<string, Set<string>>()

  private constructor(engine: PgliteEngine) {
    this.#engine = engine
  }

  static async open(): Promise<Store> {
    let module: PgliteModule
    try {
      module = (await import(PGLITE)) as PgliteModule
    } catch (error) {
      throw new Error('A simulation keeps its data in @skerry/pglite: install it as a development dependency', { cause: error })
    }
    return new Store(module.pglite({ thread: 'main', settings: SETTINGS }))
  }

  /** The database of a service, as it is and without faults. */
  async of(service: string): Promise<Database> {
    let database = this.#databases.get(service)
    if (database === undefined) {
      database = await this.#engine.open({ service, shared: true })
      this.#databases.set(service, database)
    }
    return database
  }

  get all(): Readonly<Record<string, Queryable>> {
    return Object.fromEntries(this.#databases)
  }

  /**
   * Takes what the databases hold now for what each run begins with. Times that were put there since `sinceMs`, as `default now()` does, are
   * those at which a world begins: two processes begin with the same.
   */
  async keep(sinceMs: number): Promise<void> {
    for (const [service, database] of this.#databases) {
      const { rows } = await database.query<Omit<KeptTable, 'rows'>>(TABLES)
      const tables: KeptTable[] = []
      for (const table of rows) {
        const held = await database.query<{ rows: string | null }>(`select json_agg(t)::text as rows from "${table.name}" t`)
        tables.push({ ...table, rows: held.rows[0]?.rows?.replaceAll(MOMENT, (moment: string) => sinceThen(moment, sinceMs)) })
      }
      const sequences = await database.query<{ calls: string }>(SEQUENCES)
      this.#kept.set(service, { tables, sequences: sequences.rows[0]!.calls })
    }
    // So that the first run finds all as each later one does, where rows are and what the planner knows of them included.
    await this.#putBack(new Map([...this.#kept].map(([service, { tables }]) => [service, new Set(tables.map(({ name }) => name))])))
  }

  /** Told of each statement that a service runs; true when it may write. */
  noteStatement(sql: string, service: string): boolean {
    if (!MAY_WRITE.test(sql)) return false
    let writes = this.#writes.get(service)
    if (writes === undefined) this.#writes.set(service, (writes = new Set()))
    writes.add(sql)
    return true
  }

  /** Puts everything back. */
  async reset(): Promise<void> {
    const written = await this.#written()
    const changed = new Map<string, ReadonlySet<string>>()
    for (const [service, { tables }] of this.#kept) {
      const touched = written.filter(({ schema }) => schema === service).map(({ name }) => name)
      const made = touched.filter((name) => !tables.some((known) => known.name === name))
      if (made.length > 0)
        throw new Error(
          `${service} makes tables while it runs (${made.join(', ')}): a simulation cannot put that back. Make them in a migration`,
        )
      const writes = [...(this.#writes.get(service) ?? [])]
      const unwritten = tables.filter(({ name }) => !writes.some((sql) => sql.includes(name)))
      const unchanged = await unchangedOf(this.#databases.get(service)!, unwritten)
      changed.set(service, new Set(touched.filter((name) => !unchanged.has(name))))
    }
    await this.#putBack(changed)
    this.#writes.clear()
  }

  async #putBack(changed: ReadonlyMap<string, ReadonlySet<string>>): Promise<void> {
    await this.#engine.empty([...changed].flatMap(([service, names]) => [...names].map((table) => ({ service, table }))))
    for (const [service, { tables, sequences }] of this.#kept) {
      const names = changed.get(service)!
      const emptied = tables.filter(({ name }) => names.has(name))
      if (emptied.length > 0 || sequences !== '') await refill(this.#databases.get(service)!, emptied, sequences)
    }
  }

  async #written(): Promise<readonly { readonly schema: string; readonly name: string }[]> {
    const [anyone] = this.#databases.values()
    if (anyone === undefined) return []
    const { rows } = await anyone.query<{ schema: string; name: string }>(TOUCHED, [[...this.#kept.keys()]])
    return rows
  }

  close(): Promise<void> {
    return this.#engine.close()
  }
}

/** Gives tables what they began with, and sequences where they began. */
async function refill(database: Database, tables: readonly KeptTable[], sequences: string): Promise<void> {
  await database.transaction('read committed', async (transaction) => {
    // The session is everybody's, and outlives who took them.
    await transaction.query('select pg_advisory_unlock_all()')
    for (const { name, columns, rows } of tables) {
      if (rows === undefined) continue
      const list = columns.map(quoted).join(', ')
      await transaction.query(
        `insert into ${quoted(name)} (${list}) overriding system value
         select ${list} from json_populate_recordset(null::${quoted(name)}, $1::json)`,
        [rows],
      )
    }
    if (sequences !== '') await transaction.query(`select ${sequences}`)
  })
}

/** Of those that did not begin empty, the ones that hold what they held: written to otherwise than by a statement that names them, they may not. */
async function unchangedOf(database: Database, tables: readonly KeptTable[]): Promise<ReadonlySet<string>> {
  const filled = tables.filter(({ rows }) => rows !== undefined)
  if (filled.length === 0) return new Set()
  const { rows } = await database.query<Record<string, string>>(
    `select ${filled.map(({ name }, index) => `(select json_agg(t)::text from ${quoted(name)} t) as "${index}"`).join(', ')}`,
  )
  return new Set(filled.filter((table, index) => rows[0]![index] === table.rows).map(({ name }) => name))
}

function quoted(name: string): string {
  return `"${name}"`
}
