/**
 * What is published: every public package is built with `tsc -b`, packed as it would be for a registry, and judged by
 * publint (does the manifest tell the truth?) and attw (do the types resolve for whoever installs it?).
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { packageManager } from './dependencies.mjs'
import { capture, root } from './process.mjs'

/** @param {string} node */
export async function checkPackages(node) {
  const built = await build(node)
  if (built.code !== 0) return built
  const directory = temporaryDirectory()
  try {
    const packed = await pack(directory)
    if (packed.code !== 0) return packed
    const results = []
    for (const tarball of tarballs(directory)) {
      results.push(await capture(node, [join(root, 'node_modules/publint/src/cli.js'), tarball, '--strict']))
      results.push(await capture(node, [join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js'), tarball, '--profile', 'esm-only']))
    }
    const failed = results.filter(({ code }) => code !== 0)
    return { code: failed.length === 0 ? 0 : 1, output: failed.map(({ output }) => output).join('\n') }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** @param {string} node */
export function build(node) {
  return capture(node, [join(root, 'node_modules/typescript/bin/tsc'), '-b', 'tsconfig.build.json', '--stopBuildOnErrors'])
}

/**
 * Packs every public package into `directory`. pnpm does it, because it swaps the manifest's source exports for the
 * published ones and the workspace's versions for real ones.
 * @param {string} directory
 */
export function pack(directory) {
  const filters = ['--filter', './packages/*', '--filter', './engines/*']
  const manager = ['--yes', '--loglevel=error', packageManager(), '--pm-on-fail=ignore']
  return capture('npx', [...manager, '--recursive', ...filters, 'pack', '--pack-destination', directory])
}

/** @param {string} directory */
export function tarballs(directory) {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.tgz'))
    .toSorted()
    .map((name) => join(directory, name))
}

function temporaryDirectory() {
  const cache = join(root, '.cache')
  mkdirSync(cache, { recursive: true })
  return mkdtempSync(join(cache, 'packed-'))
}
