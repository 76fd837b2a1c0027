/**
 * The locked dependencies: installed when they are missing or when the lockfile or a manifest has changed since, which
 * a stamp in node_modules remembers. pnpm itself comes through npx in the version package.json names.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { capture, root } from './process.mjs'
import { Failure, paint, say, seconds } from './terminal.mjs'

const stampFile = join(root, 'node_modules', '.skerry-stamp')

export async function dependencies() {
  const stamp = fingerprint()
  const installed = existsSync(stampFile) ? readFileSync(stampFile, 'utf8') : undefined
  if (installed === stamp) return
  const manager = packageManager()
  const reason = installed === undefined ? 'the first time it takes a minute' : 'the lockfile or a manifest has changed'
  say(`Installing the locked dependencies with ${manager} (${reason})`)
  const startedMs = performance.now()
  // npx has brought the pinned pnpm already; left to itself, pnpm 12 asks the registry for itself and fails where a
  // mirror does not list it.
  const parameters = ['--yes', '--loglevel=error', manager, 'install', '--frozen-lockfile', '--pm-on-fail=ignore', '--reporter=append-only']
  // CI=true keeps pnpm from asking questions that nobody may be there to answer.
  const { code, output } = await capture('npx', parameters, {
    environment: { CI: 'true' },
    onLine: (line) => {
      // pnpm runs under the Node that is there; what it installs runs under the one it brings.
      if (!line.includes('Unsupported engine')) console.log(paint('dim', `  ${line}`))
    },
  })
  if (code !== 0) throw installFailure(code, output)
  writeFileSync(stampFile, stamp)
  say(`Dependencies are installed (${seconds(startedMs)})`)
}

/** pnpm in its pinned version, as npx understands it. */
export function packageManager() {
  return /** @type {{ packageManager: string }} */ (JSON.parse(read('package.json'))).packageManager
}

/**
 * Why an installation failed, as far as its output tells.
 * @param {number} code
 * @param {string} output
 */
export function installFailure(code, output) {
  const repeat = 'then repeat the command.'
  if (code === 127) return new Failure('npx was not found.', `Install npm (it comes with Node.js), ${repeat}`)
  if (/ENOSPC|no space left/i.test(output)) return new Failure('The disk is full.', `Free about 1.5 GB (df -h shows where), ${repeat}`)
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|SOCKET_TIMEOUT|fetch failed/.test(output))
    return new Failure(
      'The package registry could not be reached.',
      `Check the network, HTTPS_PROXY and the output of \`npm config get registry\`, ${repeat}`,
    )
  if (/EACCES|EPERM|EROFS/.test(output))
    return new Failure(
      'A file could not be written.',
      `Make the repository and your npm cache writable (are they another user's?), ${repeat}`,
    )
  if (/OUTDATED_LOCKFILE|LOCKFILE_CONFIG_MISMATCH/.test(output))
    return new Failure(
      'pnpm-lock.yaml does not fit the manifests.',
      `Run \`npx ${packageManager()} install\`, commit pnpm-lock.yaml, then repeat the command.`,
    )
  return new Failure(
    `The installation of the dependencies ended with exit code ${code}; its last words are above.`,
    `Remove what it names, ${repeat}`,
  )
}

/** What an installation depends on: the lockfile, the workspace's settings and every manifest. */
export function fingerprint() {
  const hash = createHash('sha256')
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json', ...workspaceManifests()])
    hash.update(`${file}\0${read(file)}\0`)
  return hash.digest('hex')
}

/** The manifests of the workspace's packages, found through the list in pnpm-workspace.yaml (read as the simple list it is). */
export function workspaceManifests() {
  const section = /^packages:\n((?: {2}- .+\n)+)/m.exec(read('pnpm-workspace.yaml'))?.[1]
  if (section === undefined) throw new Error('pnpm-workspace.yaml has no list under `packages:` with two spaces before each dash')
  const patterns = section
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^ {2}- /, '').replaceAll(/['"]/g, ''))
  return [...new Set(patterns.flatMap((pattern) => folders(pattern.split('/'))))]
    .map((folder) => `${folder}/package.json`)
    .filter((file) => existsSync(join(root, file)))
}

/**
 * The folders that a pattern of names and whole-segment stars matches, in a stable order.
 * @param {readonly string[]} segments
 * @param {string} [base]
 * @returns {string[]}
 */
function folders([segment, ...rest], base = '') {
  if (segment === undefined) return [base]
  if (segment !== '*') return folders(rest, join(base, segment))
  const directory = join(root, base)
  if (!existsSync(directory)) return []
  const entries = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory() && entry.name !== 'node_modules')
  return entries
    .map((entry) => entry.name)
    .toSorted()
    .flatMap((name) => folders(rest, join(base, name)))
}

/** @param {string} file */
function read(file) {
  return readFileSync(join(root, file), 'utf8')
}
