/**
 * The rails: what is checked without running the product. Quick ones first; all of them run, whatever the first one
 * says, so that one visit shows everything that is wrong.
 */
import { join } from 'node:path'
import { checkPackages } from './packages.mjs'
import { capture, root } from './process.mjs'
import { paint, say, seconds } from './terminal.mjs'

/**
 * @typedef {{ name: string, cure: string, run: (node: string) => Promise<{ code: number, output: string }> }} Rail
 * @type {Rail[]}
 */
const rails = [
  { name: 'format', cure: 'node_modules/.bin/oxfmt', run: (node) => tool(node, 'oxfmt/bin/oxfmt', '--check', '.') },
  { name: 'lint', cure: 'node_modules/.bin/oxlint --fix', run: (node) => tool(node, 'oxlint/bin/oxlint') },
  {
    name: 'layers',
    cure: 'the message names what may be imported',
    run: (node) => tool(node, 'dependency-cruiser/bin/dependency-cruiser.mjs', '--config', '.dependency-cruiser.mjs', ...sourceFolders),
  },
  { name: 'types', cure: 'node_modules/.bin/tsc -p tsconfig.json', run: (node) => tool(node, 'typescript/bin/tsc', '-p', 'tsconfig.json') },
  { name: 'dead code', cure: 'remove it, or use it', run: (node) => tool(node, 'knip/bin/knip.js') },
  { name: 'contracts', cure: 'what it prints says what to do instead', run: checkContracts },
  { name: 'packages', cure: 'what is published has to build, resolve and type-check for others', run: checkPackages },
]

/** The folders that hold source files of ours. */
export const sourceFolders = ['packages', 'engines', 'shop', 'examples', 'test', 'bench', 'scripts']

/**
 * Runs every rail and shows the output of those that fail.
 * @param {string} node
 * @returns {Promise<string[]>} the names of the rails that failed
 */
export async function checkAll(node) {
  const failed = []
  for (const { name, cure, run } of rails) {
    const startedMs = performance.now()
    const { code, output } = await run(node)
    const passed = code === 0
    if (!passed) {
      console.log(`${output.trimEnd()}\n`)
      failed.push(name)
    }
    say(
      `${passed ? paint('green', '✓') : paint('red', '✗')} ${name} ${paint('dim', `(${seconds(startedMs)}${passed ? '' : `; ${cure}`})`)}`,
    )
  }
  return failed
}

/**
 * What our own systems promise is held against what they were released with.
 * @param {string} node
 */
async function checkContracts(node) {
  const outcomes = []
  for (const system of ['shop/system.ts', 'examples/ecommerce/system.ts'])
    outcomes.push(await capture(node, ['packages/cli/src/main.ts', 'check', '--system', system]))
  return { code: Math.max(...outcomes.map(({ code }) => code)), output: outcomes.map(({ output }) => output).join('\n') }
}

/**
 * @param {string} node
 * @param {string} program
 * @param {string[]} parameters
 */
function tool(node, program, ...parameters) {
  return capture(node, [join(root, 'node_modules', program), ...parameters])
}
