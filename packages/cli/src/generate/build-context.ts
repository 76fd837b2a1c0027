/** Where images are built from: the root of the workspace that a system's file is in, and what of it is named in Dockerfiles. */
import { access, readFile, realpath } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { CommandError, EXIT } from '../failure.ts'

export interface BuildContext {
  /** Absolute. */
  readonly root: string
  /** From the root: the folder of the package that the system's file belongs to. */
  readonly packageFolder: string
  /** From the root. */
  readonly systemFile: string
  /** From the root: the program of the `skerry` command, as it is installed there. */
  readonly program: string
}

const COMMAND = '@skerry/cli'

export async function findBuildContext(systemFile: string): Promise<BuildContext> {
  const file = await realpath(systemFile)
  const packageFolder = await findUp(dirname(file), 'package.json')
  if (packageFolder === undefined)
    throw new CommandError(
      EXIT.failed,
      `${systemFile} belongs to no package: there is no package.json in its folder or above.`,
      'Make one, as with: npm init',
    )
  const root = (await findUp(packageFolder, 'pnpm-workspace.yaml')) ?? (await findUp(packageFolder, 'pnpm-lock.yaml')) ?? packageFolder
  return {
    root,
    packageFolder: fromRoot(root, packageFolder),
    systemFile: fromRoot(root, file),
    program: await findProgram(packageFolder, root),
  }
}

/** With `/`, and `.` for the root itself. Throws for what is not inside. */
export function fromRoot(root: string, path: string): string {
  const inside = relative(root, path)
  if (inside === '..' || inside.startsWith(`..${sep}`))
    throw new CommandError(EXIT.usage, `${path} is not inside ${root}, which images are built from.`, 'Choose a folder inside with --out.')
  return inside === '' ? '.' : inside.split(sep).join('/')
}

async function findProgram(packageFolder: string, root: string): Promise<string> {
  const installedIn = await findUp(packageFolder, join('node_modules', COMMAND, 'package.json'), root)
  if (installedIn === undefined)
    throw new CommandError(
      EXIT.failed,
      `${COMMAND} is not a dependency of ${packageFolder}: an image made from it could not start anything.`,
      `Install it there with: pnpm add ${COMMAND}`,
    )
  const link = join(installedIn, 'node_modules', COMMAND)
  const { bin } = JSON.parse(await readFile(join(link, 'package.json'), 'utf8')) as { bin: { skerry: string } }
  const target = await realpath(link)
  // A package of the workspace is where its sources are; an installed one is where the link is, for what it points to has a version in its name.
  const isOwn = target.startsWith(root + sep) && !target.includes(`${sep}node_modules${sep}`)
  return fromRoot(root, join(isOwn ? target : link, bin.skerry))
}

/** The nearest folder, from this one up to `last`, that has the file. */
async function findUp(folder: string, file: string, last?: string): Promise<string | undefined> {
  for (let current = folder; ; current = dirname(current)) {
    const isThere = await access(join(current, file)).then(
      () => true,
      () => false,
    )
    if (isThere) return current
    if (current === last || current === dirname(current)) return undefined
  }
}
