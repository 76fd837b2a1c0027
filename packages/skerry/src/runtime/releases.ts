/** A service as it was released: its contract, and what else must go on with what is under way. It is kept, and later code is held against it. */
import { canonicalJson, sameJson } from '../base/json.ts'
import { adviceFor } from '../contract/compatibility/advice.ts'
import type { ContractChange } from '../contract/compatibility/contract-compatibility.ts'
import { compareContracts } from '../contract/compatibility/contract-compatibility.ts'
import type { ContractSnapshot } from '../contract/compatibility/snapshot.ts'
import { contractSnapshot } from '../contract/compatibility/snapshot.ts'
import type { Contract } from '../contract/contract.ts'
import type { Shape } from '../saga/shape.ts'
import { firstDifference, shapeOf } from '../saga/shape.ts'
import { migrationHazards } from '../service/migration-hazards.ts'
import { readMigrations } from '../service/migrations.ts'
import type { Service } from '../service/service.ts'
import { consumedEvents } from '../service/service.ts'

export interface ServiceRelease extends ContractSnapshot {
  /** The versions of the contracts that it calls. */
  readonly uses: Readonly<Record<string, string>>
  /** The versions of those of which it only hears. */
  readonly listens: Readonly<Record<string, string>>
  /** The types of the events that it handles. */
  readonly consumes: readonly string[]
  /** The steps of every version of its sagas, by `name@version`. */
  readonly sagas: Readonly<Record<string, Shape>>
  /** The checksums of its migrations. */
  readonly migrations: Readonly<Record<string, string>>
}

/** Besides operations and events it may be about `sagas.checkout@2` or `migrations.0004-drop-total.sql`. */
export interface ServiceChange extends ContractChange {
  /** What to do instead of a breaking one. */
  readonly advice: string
}

export async function releaseOf(service: Service): Promise<ServiceRelease> {
  const { contract, uses, listens, sagas, migrations: folder } = service
  const migrations = readMigrations({ service: contract.name, folder })
  return {
    ...contractSnapshot(contract),
    uses: versionsOf(Object.values(uses)),
    listens: versionsOf(listens),
    consumes: consumedEvents(service)
      .map(({ type }) => type)
      .toSorted(),
    sagas: Object.fromEntries(sagas.map(({ definition }) => [`${definition.name}@${definition.version}`, shapeOf(definition)])),
    migrations: Object.fromEntries(migrations.map(({ name, checksum }) => [name, checksum])),
  }
}

/** A release as the text of a file, with fields in the order of their names, so that a difference is a change. */
export function releaseText(release: ServiceRelease): string {
  return `${canonicalJson(release, 2)}\n`
}

/** What has changed in a service since a release. The database it is about is one that the release has worked with. */
export async function changesSince(release: ServiceRelease, service: Service): Promise<readonly ServiceChange[]> {
  const now = await releaseOf(service)
  const contract = compareContracts(release, now).map((change): ServiceChange => ({ ...change, advice: adviceFor(change.rule) }))
  const changes = [...contract, ...sagaChanges(release, now), ...(await migrationChanges(release, service))]
  return changes.length > 0 ? changes : unrecorded(release, now)
}

/** What later versions must be held against has to be in a release, also when nobody else has to do with it. */
function unrecorded(before: ServiceRelease, now: ServiceRelease): readonly ServiceChange[] {
  const parts = ['uses', 'listens', 'consumes', 'sagas', 'migrations'] as const
  return parts
    .filter((part) => !sameJson(before[part], now[part]))
    .map((part): ServiceChange => ({ ...ofItself('not-recorded', part, 'are not those of the release'), kind: 'wording' }))
}

function versionsOf(contracts: readonly Contract[]): Readonly<Record<string, string>> {
  return Object.fromEntries(contracts.map(({ name, version }) => [name, version]))
}

function sagaChanges(before: ServiceRelease, now: ServiceRelease): readonly ServiceChange[] {
  return Object.entries(before.sagas).flatMap(([saga, was]) => {
    const is = now.sagas[saga]
    if (is !== undefined) {
      const difference = firstDifference(was, is)
      return difference === undefined ? [] : [ofItself('saga-steps-changed', `sagas.${saga}`, `its steps have changed: ${difference}`)]
    }
    const newest = !Object.keys(before.sagas).some((other) => nameOf(other) === nameOf(saga) && versionOf(other) > versionOf(saga))
    return newest ? [ofItself('saga-version-removed', `sagas.${saga}`, 'is gone, and instances of it may be under way')] : []
  })
}

async function migrationChanges(before: ServiceRelease, { contract, migrations: folder }: Service): Promise<readonly ServiceChange[]> {
  const migrations = readMigrations({ service: contract.name, folder })
  const known = new Map(migrations.map(({ name, checksum }) => [name, checksum]))
  const history = Object.entries(before.migrations).flatMap(([name, checksum]) => {
    if (!known.has(name)) return [ofItself('migration-removed', `migrations.${name}`, 'is gone')]
    return known.get(name) === checksum
      ? []
      : [ofItself('migration-changed', `migrations.${name}`, 'was changed after it had been released')]
  })
  const added = migrations.filter(({ name }) => !Object.hasOwn(before.migrations, name))
  return [
    ...history,
    ...migrationHazards(added).map(({ migration, rule, message, advice }) => ({
      ...ofItself(rule, `migrations.${migration}`, message),
      advice: `${advice} When that is done already, say so in the file: -- skerry:allow ${rule}: <why>`,
    })),
  ]
}

function ofItself(rule: string, where: string, message: string): ServiceChange {
  return { kind: 'breaking', rule, where, path: '', message, affected: 'this service', proven: true, advice: adviceFor(rule) }
}

function nameOf(saga: string): string {
  return saga.slice(0, saga.lastIndexOf('@'))
}

function versionOf(saga: string): number {
  return Number(saga.slice(saga.lastIndexOf('@') + 1))
}
