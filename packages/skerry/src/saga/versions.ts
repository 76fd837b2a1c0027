/**
 * Sagas in flight and the code of today: an instance goes on with the version it was started with, so a version whose instances run must be
 * there, with the same steps; more may be appended. Checked at start, before anything is done.
 */
import { SkerryError } from '../base/errors.ts'
import type { Database } from '../engine/database.ts'
import type { SagaDefinition } from './definition.ts'
import type { Shape } from './shape.ts'
import { firstDifference, shapeOf } from './shape.ts'

/** Throws `sagaIncompatible`, with everything that is wrong, when instances could not go on. Records the versions otherwise. */
export async function checkSagaVersions(service: string, database: Database, definitions: readonly SagaDefinition[]): Promise<void> {
  const { rows: running } = await database.query<{ name: string; version: number; count: number }>(
    `select name, version, count(*) as count from skerry_saga where status in ('running', 'compensating', 'parked') group by name, version order by name, version`,
  )
  const { rows: kept } = await database.query<{ name: string; version: number; shape: string }>(
    `select name, version, shape from skerry_saga_definition`,
  )
  const problems: string[] = []
  for (const { name, version, count } of running) {
    const found = definitions.find((definition) => definition.name === name && definition.version === version)
    const before = kept.find((known) => known.name === name && known.version === version)
    if (found === undefined)
      problems.push(`${count} of "${name}" version ${version} are not done, and that version is gone: keep it in sagas: […] until they are`)
    else if (before !== undefined) {
      const difference = firstDifference(JSON.parse(before.shape) as Shape, shapeOf(found))
      if (difference !== undefined)
        problems.push(
          `${count} of "${name}" version ${version} are not done, and its steps have changed (${difference}): restore them, and put the change in version ${version + 1}; steps may only be appended`,
        )
    }
  }
  if (problems.length > 0)
    throw new SkerryError(
      'sagaIncompatible',
      `The sagas of "${service}" that are under way cannot go on:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
    )
  for (const definition of definitions)
    await database.query(
      `insert into skerry_saga_definition (name, version, shape) values ($1, $2, $3) on conflict (name, version) do update set shape = excluded.shape`,
      [definition.name, definition.version, JSON.stringify(shapeOf(definition))],
    )
}
