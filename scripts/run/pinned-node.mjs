/** The Node that runs everything but this bootstrap: the one in the lockfile, whatever the user's own is. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { capture, root } from './process.mjs'
import { Failure } from './terminal.mjs'

const node = join(root, 'node_modules', 'node', 'bin', 'node')
// TypeScript sources run as they are without a warning since this version.
const oldest = /** @type {const} */ ([24, 12])

export async function pinnedNode() {
  if (!existsSync(node))
    throw new Failure(
      'Node 24 is not in node_modules: the install script of the package `node`, which places it, did not run.',
      "Allow install scripts (look for ignore-scripts in `npm config list`, in pnpm's own configuration and in the variables npm_config_ignore_scripts and pnpm_config_ignore_scripts), delete node_modules, then repeat the command. No other package may run one: see allowBuilds in pnpm-workspace.yaml.",
    )
  const { code, output } = await capture(node, ['--version'])
  const version = /^v(\d+)\.(\d+)\./.exec(output)
  if (code !== 0 || version === null)
    throw new Failure(
      `The Node in node_modules does not run on this machine (${output.trim() || `exit code ${code}`}).`,
      'Delete node_modules and repeat the command: it may come from another machine. Linux needs glibc (on Alpine, use a Debian-based image).',
    )
  const [major, minor] = [Number(version[1]), Number(version[2])]
  if (major < oldest[0] || (major === oldest[0] && minor < oldest[1]))
    throw new Failure(
      `The Node in node_modules is ${output.trim()}; ${oldest.join('.')} or newer is needed.`,
      'Delete node_modules, then repeat the command.',
    )
  return node
}
