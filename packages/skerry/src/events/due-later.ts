/** When what a service does later is due, delayed events and schedules: asked together, because it is asked often and is mostly all there is to do. */
import type { Queryable } from '../engine/database.ts'

export interface DueLater {
  /** The first delayed event. */
  readonly delayedAtMs: number
  /** Each schedule that has its row. */
  readonly schedulesAtMs: ReadonlyMap<string, number>
}

/** Of these types and names only: the others are those of a host that knows them. What is never due is so at `Infinity`. */
export async function dueLater(on: Queryable, types: readonly string[], names: readonly string[]): Promise<DueLater> {
  const { rows } = await on.query<{ name: string | null; at: Date | null }>(
    `select name, next_at as at from skerry_schedule where name = any($1::text[])
     union all select null, min(due_at) from skerry_delayed_event where type = any($2::text[])`,
    [names, types],
  )
  const schedulesAtMs = new Map(rows.flatMap(({ name, at }) => (name === null || at === null ? [] : [[name, at.getTime()] as const])))
  return { delayedAtMs: rows.find(({ name }) => name === null)?.at?.getTime() ?? Infinity, schedulesAtMs }
}

/** When the first of them is due. */
export function firstAtMs({ delayedAtMs, schedulesAtMs }: DueLater): number {
  return Math.min(delayedAtMs, ...schedulesAtMs.values())
}
