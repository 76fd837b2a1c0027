/** Builds what a Dockerfile describes in a folder, without Docker: the same copies from the same context, the same commands, its own Node. */
import { chmod, mkdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Sandbox } from '../services/sandbox.ts'
import { dockerContext } from './docker-context.ts'
import type { Copy, DockerImage } from './dockerfile.ts'

export interface BuildOptions {
  readonly image: DockerImage
  /** The folder that Docker would be given. */
  readonly context: string
  readonly dockerignore: string
  /** Holds what is built, and runs what builds it. */
  readonly sandbox: Sandbox
}

/** Resolves with the folder that is the last stage's working directory. */
export async function buildImage({ image, context, dockerignore, sandbox }: BuildOptions): Promise<string> {
  // Whoever runs the image is somebody else.
  await chmod(sandbox.directory, 0o755)
  const source = dockerContext(context, dockerignore)
  const rootOf = (index: number): string => join(sandbox.directory, `stage-${index}`)
  for (const [index, { workdir, steps }] of image.stages.entries()) {
    const inStage = (path: string): string => join(rootOf(index), path.startsWith('/') ? path : join(workdir, path))
    await mkdir(inStage('.'), { recursive: true })
    for (const step of steps)
      if (step.kind === 'run')
        await sandbox.execute('/bin/sh', ['-c', step.command], { directory: inStage('.'), environment: buildEnvironment() })
      else await copy(step, inStage(step.target))
  }
  const last = image.stages.length - 1
  return join(rootOf(last), image.stages[last]!.workdir)

  async function copy({ from, sources, target }: Copy, to: string): Promise<void> {
    const intoFolder = target.endsWith('/') || sources.length > 1
    await mkdir(intoFolder ? to : dirname(to), { recursive: true })
    for (const path of sources) {
      if (from === undefined) {
        const isFile = /\.[a-z]+$/.test(basename(path))
        await source.copy(path, intoFolder && isFile ? join(to, basename(path)) : to)
      } else {
        const stage = image.stages.findIndex(({ name }) => name === from)
        await sandbox.execute('cp', ['-a', `${join(rootOf(stage), path)}/.`, to])
      }
    }
  }
}

/** Node as in the image; the registry and its cache as on this machine. */
function buildEnvironment(): Record<string, string> {
  const inherited = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !/^(VITEST|NODE_ENV|npm_)/.test(entry[0]),
  )
  return { ...Object.fromEntries(inherited), PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`, CI: 'true' }
}
