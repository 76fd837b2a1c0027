/**
 * Who called the deprecated operations of a service, as rows in its database: what its instances have counted, summed up. Each operation
 * keeps a bounded number of callers. When another comes, whoever has not called for a month gives way to it, so that old versions of
 * callers do not stand in the way of new ones; while there is nobody of that kind, the others are counted together.
 */
import type { Database, Queryable } from '../engine/database.ts'

/** Calls of one operation by one caller. */
export interface CalledBy {
  readonly operation: string
  readonly caller: string
  readonly calls: number
  readonly firstAt: Date
  readonly lastAt: Date
}

/** Kept of each operation. */
const MAX_CALLERS = 100
/** The caller under which all are counted for whom there is no room. In parentheses, which no product has in its name. */
export const OTHERS = '(others)'
/** From then on a caller may give way: longer than most jobs pause. */
const GIVES_WAY_AFTER_MS = 30 * 24 * 3_600_000

export const DEPRECATED_CALLS_MIGRATION = {
  name: 'skerry/0009-deprecated-calls',
  sql: `
-- Who called which deprecated operation.
create table skerry_deprecated_call (
  operation text not null,
  caller text not null,
  calls bigint not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  primary key (operation, caller)
);
`,
} as const

const READ = `select operation, caller, calls, first_at as "firstAt", last_at as "lastAt" from skerry_deprecated_call`
const ADD = `
insert into skerry_deprecated_call as kept (operation, caller, calls, first_at, last_at)
  select * from unnest($1::text[], $2::text[], $3::int8[], $4::timestamptz[], $5::timestamptz[])
  on conflict (operation, caller) do update set
    calls = kept.calls + excluded.calls,
    first_at = least(kept.first_at, excluded.first_at),
    last_at = greatest(kept.last_at, excluded.last_at)`
const FORGET = `delete from skerry_deprecated_call where (operation, caller) in (select * from unnest($1::text[], $2::text[]))`

/** All of them, the last caller of each operation first. */
export async function readDeprecatedCalls(on: Queryable): Promise<readonly CalledBy[]> {
  return (await on.query<CalledBy>(`${READ} order by operation, last_at desc, caller`)).rows
}

/** Adds calls, each operation and caller once. Rejects with a `DatabaseError`. */
export async function addDeprecatedCalls(database: Database, calls: readonly CalledBy[], now: Date): Promise<void> {
  await database.transaction('read committed', async (transaction) => {
    // Instances decide one after the other who is kept: two at once would keep too many.
    await transaction.query(`select pg_advisory_xact_lock(hashtext(current_schema() || '/skerry_deprecated_call'))`)
    const operations = [...new Set(calls.map(({ operation }) => operation))]
    const { rows } = await transaction.query<CalledBy>(`${READ} where operation = any($1)`, [operations])
    const ofOperation = (all: readonly CalledBy[], name: string): readonly CalledBy[] => all.filter(({ operation }) => operation === name)
    const decisions = operations.map((name) => withinBound(ofOperation(rows, name), ofOperation(calls, name), now))
    const forget = decisions.flatMap((decision) => decision.forget)
    if (forget.length > 0) await transaction.query(FORGET, [forget.map(({ operation }) => operation), forget.map(({ caller }) => caller)])
    const add = decisions.flatMap((decision) => decision.add)
    await transaction.queryLast(ADD, [
      add.map(({ operation }) => operation),
      add.map(({ caller }) => caller),
      add.map((call) => call.calls),
      add.map(({ firstAt }) => firstAt),
      add.map(({ lastAt }) => lastAt),
    ])
  })
}

interface Decision {
  /** Each caller once. */
  readonly add: readonly CalledBy[]
  readonly forget: readonly CalledBy[]
}

/** Decides for which callers of one operation there is room. Who gives way is counted with the others from then on. */
function withinBound(kept: readonly CalledBy[], called: readonly CalledBy[], now: Date): Decision {
  const known = new Set(kept.map(({ caller }) => caller))
  const calling = new Set(called.map(({ caller }) => caller))
  const isNew = ({ caller }: CalledBy): boolean => caller !== OTHERS && !known.has(caller)
  const room = MAX_CALLERS - kept.filter(({ caller }) => caller !== OTHERS).length
  const arrived = called.filter(isNew)
  const forget = kept
    .filter(({ caller, lastAt }) => caller !== OTHERS && !calling.has(caller) && now.getTime() - lastAt.getTime() > GIVES_WAY_AFTER_MS)
    .toSorted((a, b) => a.lastAt.getTime() - b.lastAt.getTime())
    .slice(0, Math.max(0, arrived.length - room))
  const others = [...called.filter(({ caller }) => caller === OTHERS), ...arrived.slice(room + forget.length), ...forget]
  const add = [...called.filter(({ caller }) => known.has(caller) && caller !== OTHERS), ...arrived.slice(0, room + forget.length)]
  return { add: others.length === 0 ? add : [...add, together(others)], forget }
}

function together(calls: readonly CalledBy[]): CalledBy {
  return {
    operation: calls[0]!.operation,
    caller: OTHERS,
    calls: calls.reduce((sum, call) => sum + call.calls, 0),
    firstAt: new Date(Math.min(...calls.map(({ firstAt }) => firstAt.getTime()))),
    lastAt: new Date(Math.max(...calls.map(({ lastAt }) => lastAt.getTime()))),
  }
}
