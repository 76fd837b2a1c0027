/** What a service's code says of its releases: what has changed, whom that breaks, and which version it is. */
import { gt, gte, inc, major, minor, parse } from 'semver'
import type { ServiceChange, ServiceRelease, System } from 'skerry/runtime'
import type { Platform } from '../system-file.ts'
import type { Acceptance, ReleaseFiles } from './release-files.ts'

type Service = System['services'][number]

export interface Verdict {
  readonly service: string
  readonly version: string
  /** The latest release; undefined when there is none. */
  readonly released: string | undefined
  /** The least version that the changes allow. */
  readonly needs: string
  readonly changes: readonly JudgedChange[]
  /** What has to be done before it is fine; empty when it is. */
  readonly refusals: readonly string[]
}

export interface JudgedChange extends ServiceChange {
  /** The release that it is a change of: the latest, or one before it that somebody may still rely on. */
  readonly since: string
  /** Who may fail: services, and clients outside. */
  readonly breaks: readonly string[]
  /** The version says so. */
  readonly announced: boolean
  /** Why it is fine all the same, where somebody has made sure of what cannot be shown. */
  readonly accepted: string | undefined
}

export interface JudgeOptions {
  readonly system: System
  readonly platform: Platform
  readonly files: ReleaseFiles
}

export async function judge(service: Service, { system, platform, files }: JudgeOptions): Promise<Verdict> {
  const { name, version } = service.contract
  const versions = await files.versions(name)
  const released = versions.at(-1)
  if (released === undefined)
    return {
      service: name,
      version,
      released,
      needs: version,
      changes: [],
      refusals: [`has no release to be held against: skerry contract release ${name}`],
    }
  const consumers = await consumersOf(name, system, platform, files)
  const acceptances = await files.acceptances()
  const changes: JudgedChange[] = []
  for (const since of versions.toReversed()) {
    const before = await files.read(name, since)
    // Those who know a version of before the last break are gone, unless a consumer says that it was released with it.
    const isKnown = !isMajorStep(since, released) || consumers.some(({ usedVersion }) => usedVersion === since)
    const found = (await platform.changesSince(before, service)).filter(
      ({ kind, rule, affected }) =>
        since === released || (kind === 'breaking' && (affected === 'this service' ? rule.startsWith('held-event') : isKnown)),
    )
    const isNews = (change: ServiceChange): boolean =>
      !changes.some(
        (other) => other.since !== since && other.rule === change.rule && other.where === change.where && other.path === change.path,
      )
    const announced = isMajorStep(since, version)
    for (const change of found.filter(isNews))
      changes.push({
        ...change,
        since,
        breaks: whomItBreaks(change, before, consumers),
        announced: announced && change.affected !== 'this service',
        accepted: change.proven ? undefined : acceptances.find((one) => isOf(one, { ...change, service: name, since }))?.why,
      })
  }
  const needs = neededVersion(
    released,
    changes
      .filter(({ since }) => since === released)
      .map((change) => (change.accepted === undefined ? change : { ...change, kind: 'compatible' })),
  )
  const refused = changes.filter(({ kind, announced, accepted }) => kind === 'breaking' && !announced && accepted === undefined)
  const refusals = refused.length > 0 ? ['breaks what relies on it'] : []
  if (gt(released, version)) refusals.push(`is at ${version}, and ${released} has been released already`)
  else if (!satisfies(version, needs)) refusals.push(`is still at ${version}: raise its version to ${needs}`)
  return { service: name, version, released, needs, changes, refusals }
}

function isOf(acceptance: Acceptance, change: Omit<Acceptance, 'why'>): boolean {
  return (['service', 'since', 'where', 'path', 'rule'] as const).every((part) => acceptance[part] === change[part])
}

interface ConsumerRelease {
  readonly name: string
  /** The version of the contract that it was written with. */
  readonly usedVersion: string
  readonly calls: boolean
  readonly consumes: readonly string[]
}

/** The services of the system that have to do with a contract, as they are now and as they were last released. */
async function consumersOf(contract: string, system: System, platform: Platform, files: ReleaseFiles): Promise<readonly ConsumerRelease[]> {
  const found: ConsumerRelease[] = []
  for (const service of system.services) {
    const { name } = service.contract
    const last = (await files.versions(name)).at(-1)
    const releases: ServiceRelease[] = [await platform.releaseOf(service), ...(last === undefined ? [] : [await files.read(name, last)])]
    for (const { uses, listens, consumes } of releases) {
      const usedVersion = uses[contract] ?? listens[contract]
      if (usedVersion !== undefined) found.push({ name, usedVersion, calls: uses[contract] !== undefined, consumes })
    }
  }
  return found
}

function whomItBreaks(
  { affected, where }: ServiceChange,
  before: ServiceRelease,
  consumers: readonly ConsumerRelease[],
): readonly string[] {
  if (affected === 'this service') return [before.contract]
  const [, member] = where.split('.')
  if (affected === 'callers') {
    const names = consumers.filter(({ calls }) => calls).map(({ name }) => name)
    return [...new Set([...names, ...(before.operations[member!]?.public === true ? ['clients outside'] : [])])]
  }
  const type = new RegExp(`^${before.contract}\\.${member}\\.v\\d+$`)
  return [...new Set(consumers.filter(({ consumes }) => consumes.some((event) => type.test(event))).map(({ name }) => name))]
}

/** Semantic versioning 2.0.0; before 1.0.0 the minor version says what the major one says later. */
function neededVersion(released: string, changes: readonly Pick<ServiceChange, 'kind' | 'affected'>[]): string {
  if (parse(released)!.prerelease.length > 0) return changes.length === 0 ? released : inc(released, 'prerelease')!
  const contractual = changes.filter(({ affected }) => affected !== 'this service')
  const early = major(released) === 0
  if (contractual.some(({ kind }) => kind === 'breaking')) return inc(released, early ? 'minor' : 'major')!
  if (contractual.some(({ kind }) => kind === 'compatible')) return inc(released, early ? 'patch' : 'minor')!
  return changes.some(({ kind }) => kind === 'wording') ? inc(released, 'patch')! : released
}

/** Whether one version tells those who knew the other that they may break. Of what is not finished nobody may expect that it stays. */
function isMajorStep(from: string, to: string): boolean {
  if (!gt(to, from)) return false
  return parse(from)!.prerelease.length > 0 || major(to) !== major(from) || (major(to) === 0 && minor(to) !== minor(from))
}

/** Whether a version is at least another, or what comes before that one is finished: 2.0.0-rc.1 for 2.0.0. */
function satisfies(version: string, needs: string): boolean {
  const { major: one, minor: two, patch: three } = parse(version)!
  return gte(version, needs) || gte(`${one}.${two}.${three}`, needs)
}
