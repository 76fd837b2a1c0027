/**
 * Generations of a read model: made with tables of their own, swapped in when they have caught up. Readers go through
 * views, so what they read changes from one statement to the next and is never half of each.
 */
import { SkerryError } from '../base/errors.ts'
import type { Database, Queryable, Transaction } from '../engine/database.ts'
import { DatabaseError } from '../engine/database.ts'
import type { Projection } from './projection.ts'
import { tableOfGeneration } from './projection.ts'

interface GenerationRow {
  readonly generation: number
  readonly version: number
  readonly status: 'building' | 'live'
  readonly tables: readonly string[]
}

/**
 * Sees to it that every projection has a generation of its version, live when it is the first and else to be built, and lets those of
 * this version that were stopped try again. Older code than the newest leaves all as it is: it may be on its way out.
 */
export async function prepareProjections(database: Database, projections: readonly Projection[], now: Date): Promise<void> {
  for (const projection of projections)
    await changing(database, async (transaction) => {
      const generations = await generationsOf(transaction, projection.name)
      const newest = Math.max(0, ...generations.map(({ version }) => version))
      if (generations.length === 0) await create(transaction, projection, 1, 'live', now)
      else if (projection.version > newest) await replaceBuilding(transaction, projection, generations, now)
      await transaction.query(`update skerry_projection set stopped_at = null where name = $1 and version = $2`, [
        projection.name,
        projection.version,
      ])
    })
}

/** Begins to build a read model from the first event, beside the one that answers. Returns the number of the new generation. */
export function rebuild(database: Database, projection: Projection, now: Date): Promise<number> {
  return changing(database, async (transaction) => {
    const generations = await generationsOf(transaction, projection.name)
    if (generations.some(({ status, version }) => status === 'building' && version === projection.version))
      throw new SkerryError('projectionInvalid', `The projection "${projection.name}" is being built already: see skerry projections list`)
    return replaceBuilding(transaction, projection, generations, now)
  })
}

/** How long the swap waits for readers of the old tables to finish; then it is tried again later. */
const SWAP_LOCK_TIMEOUT = '2s'

/** Makes a generation that has caught up the one that answers, and drops the one before. False: it is not this owner's any more. */
export function swapIn(database: Database, projection: Projection, generation: number, epoch: number, pos: number): Promise<boolean> {
  return database.transaction('read committed', async (transaction) => {
    await transaction.query(`set local lock_timeout = '${SWAP_LOCK_TIMEOUT}'`)
    const mine = await transaction.query(
      `select from skerry_projection where name = $1 and generation = $2 and epoch = $3 and pos = $4 and status = 'building' for update`,
      [projection.name, generation, epoch, pos],
    )
    if (mine.rows.length === 0) return false
    for (const old of await generationsOf(transaction, projection.name))
      if (old.status === 'live') await drop(transaction, projection.name, old)
    await transaction.query(`update skerry_projection set status = 'live' where name = $1 and generation = $2`, [
      projection.name,
      generation,
    ])
    await createViews(transaction, projection, generation)
    return true
  })
}

async function replaceBuilding(
  transaction: Transaction,
  projection: Projection,
  generations: readonly GenerationRow[],
  now: Date,
): Promise<number> {
  for (const old of generations) if (old.status === 'building') await drop(transaction, projection.name, old)
  const generation = Math.max(...generations.map((old) => old.generation)) + 1
  await create(transaction, projection, generation, 'building', now)
  return generation
}

async function create(
  transaction: Transaction,
  projection: Projection,
  generation: number,
  status: GenerationRow['status'],
  now: Date,
): Promise<void> {
  const tables = Object.keys(projection.tables)
  for (const table of tables) {
    try {
      await transaction.script(projection.tables[table]!(quoted(tableOfGeneration(table, generation))))
      await transaction.query(`select from ${quoted(tableOfGeneration(table, generation))} limit 0`)
    } catch (error) {
      if (!(error instanceof DatabaseError) || error.kind !== 'statement') throw error
      throw new SkerryError(
        'projectionInvalid',
        `The table "${table}" of projection "${projection.name}" could not be made: ${error.message}`,
        {
          cause: error,
        },
      )
    }
  }
  await transaction.query(
    `insert into skerry_projection (name, generation, version, status, tables, created_at) values ($1, $2, $3, $4, $5, $6)`,
    [projection.name, generation, projection.version, status, tables, now],
  )
  if (status === 'live') await createViews(transaction, projection, generation)
}

async function createViews(transaction: Transaction, { name, tables }: Projection, generation: number): Promise<void> {
  for (const table of Object.keys(tables)) {
    const { rows } = await transaction.query<{ kind: string | null }>(
      `select (select relkind::text from pg_catalog.pg_class where oid = to_regclass($1)) as kind`,
      [quoted(table)],
    )
    if (rows[0]!.kind !== null)
      throw new SkerryError(
        'projectionInvalid',
        `The projection "${name}" cannot answer as "${table}": there is a table or view of that name`,
      )
    await transaction.script(`create view ${quoted(table)} as select * from ${quoted(tableOfGeneration(table, generation))}`)
  }
}

async function drop(transaction: Transaction, name: string, { generation, status, tables }: GenerationRow): Promise<void> {
  for (const table of tables) {
    if (status === 'live') await transaction.script(`drop view if exists ${quoted(table)}`)
    await transaction.script(`drop table if exists ${quoted(tableOfGeneration(table, generation))}`)
  }
  await transaction.query(`delete from skerry_projection where name = $1 and generation = $2`, [name, generation])
}

async function generationsOf(on: Queryable, name: string): Promise<readonly GenerationRow[]> {
  const { rows } = await on.query<GenerationRow>(
    `select generation, version, status, tables from skerry_projection where name = $1 order by generation`,
    [name],
  )
  return rows
}

/** One host at a time: they start together. The lock is the transaction's, so it cannot outlive it. */
function changing<T>(database: Database, work: (transaction: Transaction) => Promise<T>): Promise<T> {
  return database.transaction('read committed', async (transaction) => {
    await transaction.query(`select pg_advisory_xact_lock(hashtext(current_schema() || '/skerry_projection'))`)
    return work(transaction)
  })
}

function quoted(identifier: string): string {
  return `"${identifier}"`
}
