/** What of a build context Docker would see: the files that a .dockerignore lets in. */
import { cp, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

export interface DockerContext {
  /** Copies a file, or what is in a folder, as COPY does. Rejects when nothing of it is in the context. */
  copy(source: string, target: string): Promise<void>
}

export function dockerContext(root: string, dockerignore: string): DockerContext {
  const isIgnored = ignoring(dockerignore)
  return {
    async copy(source, target) {
      const path = join(root, source)
      const isFolder = (await stat(path)).isDirectory()
      if (isIgnored(source) && !(isFolder && source === '.')) throw new Error(`COPY ${source}: .dockerignore keeps it out of the context`)
      const relative = (file: string): string => file.slice(join(root, '/').length)
      const filter = (file: string): boolean => file === path || !isIgnored(relative(file))
      if (!isFolder) return cp(path, target)
      for (const entry of await readdir(path)) await cp(join(path, entry), join(target, entry), { recursive: true, filter })
    },
  }
}

/** The last line that fits a path, or a folder that it is in, decides. */
function ignoring(dockerignore: string): (path: string) => boolean {
  const rules = dockerignore
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ ignores: !line.startsWith('!'), pattern: regularExpression(line.replace(/^!/, '')) }))
  return (path) => {
    const prefixes = path.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'))
    return rules.findLast(({ pattern }) => prefixes.some((prefix) => pattern.test(prefix)))?.ignores ?? false
  }
}

function regularExpression(pattern: string): RegExp {
  const source = pattern
    .split(/(\*\*\/|\*)/)
    .map((part) => (part === '**/' ? '(?:.*/)?' : part === '*' ? '[^/]*' : part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&')))
  return new RegExp(`^${source.join('')}$`)
}
