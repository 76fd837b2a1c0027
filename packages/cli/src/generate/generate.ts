/** `skerry generate`: the files that run a system in production, made by `@skerry/deploy` from its definition. */
import { dirname, resolve } from 'node:path'
import type { GeneratedFile, ImageOptions } from '@skerry/deploy'
import { containerFiles, dockerfile, dockerignore, nginxConfiguration, readWorkspace } from '@skerry/deploy'
import type { System } from 'skerry/runtime'
import { CommandError, EXIT, isSkerryError } from '../failure.ts'
import { selectServices } from '../run-host.ts'
import type { LoadedSystem } from '../system-file.ts'
import { loadSystem } from '../system-file.ts'
import { findBuildContext, fromRoot } from './build-context.ts'
import { checkGenerated, writeGenerated } from './generated-folder.ts'

export interface GenerateOptions {
  readonly system?: string
  /** Where to write. Default: the folder of the system's file. */
  readonly out?: string
  /** Write nothing, and fail when something would be written. */
  readonly check?: boolean
  /** Replace files that were not generated. */
  readonly force?: boolean
  readonly verbose?: boolean
}

export interface ComposeOptions extends GenerateOptions {
  readonly gateway: 'nginx' | 'embedded'
}

export interface NginxOptions extends GenerateOptions {
  /** `orders=10.0.0.7:8080,10.0.0.8:8080` */
  readonly upstream?: readonly string[]
  readonly listen?: string
  readonly resolver?: readonly string[]
}

/** The Compose file and all that it builds. */
export async function generateCompose(options: ComposeOptions): Promise<void> {
  await generate(options, async ({ system, path }, out) => {
    const { root, ...images } = await imageOptions(path)
    return containerFiles(system, { ...images, folder: fromRoot(root, out), gateway: options.gateway })
  })
}

/** A Dockerfile for each service, or for the named ones and `gateway`. */
export async function generateDocker(names: readonly string[], options: GenerateOptions): Promise<void> {
  await generate(options, async (loaded) => {
    const { root: _root, ...images } = await imageOptions(loaded.path)
    const { services, gateway } = selectServices(loaded, names)
    const chosen = [...services.map(({ contract }) => contract.name), ...(gateway ? [loaded.platform.GATEWAY] : [])]
    return chosen.flatMap((name) => [
      { path: `${name}/Dockerfile`, content: dockerfile(loaded.system, name, images) },
      { path: `${name}/Dockerfile.dockerignore`, content: dockerignore(images) },
    ])
  })
}

/** nginx as the gateway. */
export async function generateNginx({ upstream = [], listen, resolver, ...options }: NginxOptions): Promise<void> {
  await generate(options, async ({ system }) => {
    const upstreams = upstreamsOf(system, upstream)
    try {
      return nginxConfiguration(system, {
        upstreams,
        ...(listen === undefined ? {} : { listen: /^\d+$/.test(listen) ? Number(listen) : listen }),
        ...(resolver === undefined ? {} : { resolver }),
      })
    } catch (error) {
      if (!isSkerryError(error) || error.code !== 'configurationInvalid') throw error
      throw new CommandError(EXIT.usage, error.message, `Correct the options, as in: ${exampleOf(system)}`)
    }
  })
}

async function generate(
  options: GenerateOptions,
  make: (loaded: LoadedSystem, out: string) => Promise<readonly GeneratedFile[]>,
): Promise<void> {
  const loaded = await loadSystem(options.system)
  const out = options.out === undefined ? dirname(loaded.path) : resolve(options.out)
  const files = await make(loaded, out)
  if (options.check === true) return checkGenerated(out, files)
  for (const line of await writeGenerated(out, files, { force: options.force === true })) process.stdout.write(`${line}\n`)
}

async function imageOptions(path: string): Promise<ImageOptions & { readonly root: string }> {
  const { root, packageFolder, systemFile, program } = await findBuildContext(path)
  return { root, workspace: await readWorkspace(root, packageFolder), systemFile, program }
}

function upstreamsOf(system: System, given: readonly string[]): Record<string, readonly string[]> {
  const upstreams = new Map<string, readonly string[]>()
  for (const text of given) {
    const [, service, addresses] = /^([^=]+)=(.+)$/.exec(text) ?? []
    if (service === undefined || addresses === undefined)
      throw new CommandError(EXIT.usage, `"${text}" is no upstream.`, `Write it as in: ${exampleOf(system)}`)
    upstreams.set(service, addresses.split(','))
  }
  return Object.fromEntries(upstreams)
}

function exampleOf({ services }: System): string {
  return `--upstream ${services[0]?.contract.name ?? 'orders'}=10.0.0.7:8080`
}
