/** `skerry contract release`: keeps the contracts as they stand, each under its version. What was released does not change any more. */
import { relative } from 'node:path'
import { CommandError, EXIT } from '../failure.ts'
import { selectServices } from '../run-host.ts'
import { loadSystem } from '../system-file.ts'
import type { Draft } from './release-files.ts'
import { ReleaseFiles } from './release-files.ts'
import { verdictText } from './text.ts'
import { judge } from './verdict.ts'

export interface ReleaseOptions {
  readonly system?: string
  readonly folder?: string
  readonly json?: boolean
  readonly verbose?: boolean
}

export async function release(names: readonly string[], options: ReleaseOptions): Promise<void> {
  const loaded = await loadSystem(options.system)
  const { system, platform, path } = loaded
  const files = new ReleaseFiles(path, options.folder)
  const { services } = selectServices(loaded, names)
  const drafts: Draft[] = []
  const refused: string[] = []
  for (const service of services) {
    const { name, version } = service.contract
    const verdict = await judge(service, { system, platform, files })
    const known = verdict.released !== undefined
    if (known && verdict.refusals.length > 0) refused.push(verdictText(verdict))
    if (known && (await files.versions(name)).includes(version)) continue
    drafts.push({ service: name, version, text: platform.releaseText(await platform.releaseOf(service)) })
  }
  for (const { contract, uses, listens } of services)
    for (const { name, version } of [...Object.values(uses), ...listens]) {
      const isHere = system.services.some((service) => service.contract.name === name)
      const isKept =
        (await files.versions(name)).includes(version) || drafts.some((draft) => draft.service === name && draft.version === version)
      if (isHere && !isKept) refused.push(`${contract.name} uses ${name} ${version}, which has not been released: release both`)
    }
  // All or none: a release is of what works together.
  if (refused.length > 0)
    throw new CommandError(EXIT.failed, `Not released:\n\n${refused.join('\n\n')}`, 'Do what it says above, and release again.')
  const written = await files.write(drafts)
  if (options.json === true)
    process.stdout.write(`${JSON.stringify({ released: drafts.map(({ service, version }) => ({ service, version })) })}\n`)
  else if (written.length === 0) process.stdout.write('Nothing to release: every contract is as it was released.\n')
  else
    process.stdout.write(
      `${written.map((file) => `released ${relative(process.cwd(), file)}`).join('\n')}\n\nCommit what was written: later versions are held against it.\n`,
    )
}
