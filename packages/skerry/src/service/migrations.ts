/**
 * Brings a service's schema up to date: the platform's tables, then the service's own files in the order of their names.
 * Each is one transaction, under a lock that lets one host at a time migrate. What was applied is remembered with its checksum, and a file
 * that has changed since is refused.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../base/clock.ts'
import { SkerryError } from '../base/errors.ts'
import type { Database, Transaction } from '../engine/database.ts'
import { DatabaseError } from '../engine/database.ts'
import { EVENT_STORE_MIGRATION } from '../event-store/tables.ts'
import { PLATFORM_MIGRATIONS } from '../events/tables.ts'
import { SAGA_MIGRATIONS } from '../saga/index.ts'
import { DEPRECATED_CALLS_MIGRATION } from './deprecated-call-rows.ts'
import { readSql } from './sql-text.ts'

export interface MigrateOptions {
  readonly service: string
  readonly database: Database
  /** The folder of the service's own migrations. */
  readonly folder: URL | undefined
  readonly clock: Clock
  /** Called with each name as soon as it is applied: also with those before one that fails. */
  readonly onApplied?: (name: string) => void
}

export interface Migration {
  readonly name: string
  readonly sql: string
  readonly checksum: string
}

const FILE_NAME = /^\d{4}-[a-z0-9-]+\.sql$/
const TRANSACTION_CONTROL =
  /^\s*(begin|start\s+transaction|commit|rollback|abort|end|savepoint|prepare\s+transaction|vacuum|create\s+(unique\s+)?index\s+concurrently|drop\s+index\s+concurrently)\b/i

/** Applies what is missing and returns the names of what it applied. */
export async function migrate(options: MigrateOptions): Promise<readonly string[]> {
  const migrations = [
    ...[...PLATFORM_MIGRATIONS, ...SAGA_MIGRATIONS, EVENT_STORE_MIGRATION, DEPRECATED_CALLS_MIGRATION].map(({ name, sql }) =>
      toMigration(name, sql),
    ),
    ...readMigrations(options),
  ]
  const applied: string[] = []
  const known = await withLock(options.database, async (transaction) => {
    await transaction.script(
      `create table if not exists skerry_migration (name text primary key, checksum text not null, applied_at timestamptz not null)`,
    )
    const { rows } = await transaction.query<{ name: string; checksum: string }>(`select name, checksum from skerry_migration`)
    return new Map(rows.map(({ name, checksum }) => [name, checksum]))
  })
  for (const migration of migrations) {
    if (known.get(migration.name) === migration.checksum || !(await apply(options, migration))) continue
    applied.push(migration.name)
    options.onApplied?.(migration.name)
  }
  return applied
}

async function apply({ service, database, clock }: MigrateOptions, migration: Migration): Promise<boolean> {
  return withLock(database, async (transaction) => {
    const { rows } = await transaction.query<{ checksum: string }>(`select checksum from skerry_migration where name = $1`, [
      migration.name,
    ])
    const before = rows[0]
    if (before !== undefined) {
      if (before.checksum === migration.checksum) return false
      throw new SkerryError(
        'migrationChanged',
        `${service}: ${migration.name} was changed after it had been applied. Restore the file and put the change in a new migration.`,
      )
    }
    try {
      await transaction.script(migration.sql)
    } catch (error) {
      if (!(error instanceof DatabaseError) || error.kind !== 'statement') throw error
      const line = error.position === undefined ? '' : `:${migration.sql.slice(0, error.position).split('\n').length}`
      throw new SkerryError(
        'migrationFailed',
        `${service}: ${migration.name}${line}: ${error.message}. Nothing of this file was applied.`,
        { cause: error },
      )
    }
    await transaction.query(`insert into skerry_migration (name, checksum, applied_at) values ($1, $2, $3)`, [
      migration.name,
      migration.checksum,
      clock.now(),
    ])
    return true
  })
}

/** The lock is the transaction's, so it cannot outlive it; its number only has to be the same for every host. */
function withLock<T>(database: Database, work: (transaction: Transaction) => Promise<T>): Promise<T> {
  return database.transaction('read committed', async (transaction) => {
    await transaction.query(`select pg_advisory_xact_lock(hashtext(current_schema() || '/skerry_migration'))`)
    return work(transaction)
  })
}

/**
 * The service's own migrations, in their order. Throws `migrationInvalid` for what cannot be one. Read at once and not asynchronously: a
 * few small files, and a start that a simulation replays may not depend on when the disk answers.
 */
export function readMigrations({ service, folder }: Pick<MigrateOptions, 'service' | 'folder'>): readonly Migration[] {
  if (folder === undefined) return []
  const path = fileURLToPath(folder)
  let files: string[]
  try {
    files = readdirSync(path)
      .filter((file) => file.endsWith('.sql'))
      .toSorted()
  } catch (error) {
    throw new SkerryError('migrationInvalid', `${service}: the migrations folder ${path} cannot be read`, { cause: error })
  }
  const numbers = new Set<string>()
  return files.map((file) => {
    if (!FILE_NAME.test(file)) throw new SkerryError('migrationInvalid', `${service}: ${file} is not named like 0001-create-orders.sql`)
    const number = file.slice(0, 4)
    if (numbers.has(number)) throw new SkerryError('migrationInvalid', `${service}: two migrations have the number ${number}`)
    numbers.add(number)
    const sql = readFileSync(new URL(file, folder), 'utf8').replaceAll('\r\n', '\n')
    const control = readSql(sql)
      .statements.map((statement) => TRANSACTION_CONTROL.exec(statement)?.[1])
      .find((word) => word !== undefined)
    if (control !== undefined)
      throw new SkerryError(
        'migrationInvalid',
        `${service}: ${file} contains ${control.toUpperCase()}, but each migration already runs in a transaction of its own`,
      )
    return toMigration(file, sql)
  })
}

function toMigration(name: string, sql: string): Migration {
  return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') }
}
