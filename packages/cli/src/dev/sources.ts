/** Which files a process has imported, so that its parent can watch them. */
import { statSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Source } from './messages.ts'

/** From now on notes every imported file outside of node_modules, also those that turn out not to compile. */
export function noteSources(): ReadonlyMap<string, Source> {
  const sources = new Map<string, Source>()
  registerHooks({
    load(url, context, nextLoad) {
      if (url.startsWith('file:')) {
        const path = fileURLToPath(url)
        // Before it is read: a change in between then counts as one.
        if (!path.includes(`${sep}node_modules${sep}`)) sources.set(path, { path, version: versionOf(path) })
      }
      return nextLoad(url, context)
    },
  })
  return sources
}

/** Differs when the file has been written since; `absent` when there is none. */
export function versionOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false })
  return found === undefined ? 'absent' : `${found.mtimeMs} ${found.size}`
}
