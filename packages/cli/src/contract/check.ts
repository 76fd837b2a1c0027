/** `skerry check`: holds the code against what was released, and fails when it would break whoever relies on that. */
import { EXIT } from '../failure.ts'
import { loadSystem } from '../system-file.ts'
import { ReleaseFiles } from './release-files.ts'
import { verdictText } from './text.ts'
import type { Verdict } from './verdict.ts'
import { judge } from './verdict.ts'

export interface CheckOptions {
  readonly system?: string
  readonly folder?: string
  readonly json?: boolean
  readonly verbose?: boolean
}

export async function check(options: CheckOptions): Promise<void> {
  const { system, platform, path } = await loadSystem(options.system)
  const files = new ReleaseFiles(path, options.folder)
  const verdicts: Verdict[] = []
  for (const service of system.services) verdicts.push(await judge(service, { system, platform, files }))
  const fine = verdicts.every(({ refusals }) => refusals.length === 0)
  if (options.json === true) process.stdout.write(`${JSON.stringify({ fine, services: verdicts })}\n`)
  else process.stdout.write(`${verdicts.map((verdict) => verdictText(verdict)).join('\n\n')}\n`)
  if (!fine) process.exitCode = EXIT.failed
}
