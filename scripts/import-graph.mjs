/**
 * The picture of who imports whom, drawn from the imports themselves: `node scripts/import-graph.mjs` prints the block that
 * ARCHITECTURE.md shows, with `--write` it is put there. test/repo.test.ts compares the two, so that a new arrow between
 * folders shows up in review.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cruise } from 'dependency-cruiser'
import configuration from '../.dependency-cruiser.mjs'
import { layers } from './layers.mjs'

const start = '<!-- import graph: start (drawn by scripts/import-graph.mjs) -->'
const end = '<!-- import graph: end -->'
const document = new URL('../ARCHITECTURE.md', import.meta.url)

/** The block of ARCHITECTURE.md, markers included: a picture for the eye and the complete list for review. */
export async function importGraphBlock() {
  const edges = await importEdges()
  const reduced = withoutDetours(edges)
  return [
    start,
    '',
    '```mermaid',
    'flowchart BT',
    ...[...reduced].flatMap(([from, targets]) => targets.map((to) => `  ${from} --> ${to}`)),
    '```',
    '',
    'The picture leaves out an arrow where a longer way leads to the same folder; the list does not:',
    '',
    ...[...edges].map(
      ([from, targets]) => `- \`${from}\` → ${targets.length === 0 ? 'nothing' : targets.map((to) => `\`${to}\``).join(', ')}`,
    ),
    '',
    end,
  ].join('\n')
}

/** The block as ARCHITECTURE.md shows it now; undefined while there is no such file. */
export function documentedBlock() {
  if (!existsSync(document)) return undefined
  const text = readFileSync(document, 'utf8')
  const from = text.indexOf(start)
  const to = text.indexOf(end)
  if (from === -1 || to === -1) throw new Error(`ARCHITECTURE.md has no block between\n${start}\nand\n${end}`)
  return text.slice(from, to + end.length)
}

/**
 * Folder of the core, or package outside it → what it imports, tests left out. Core folders come first, in the order of
 * the layers.
 * @returns {Promise<Map<string, string[]>>}
 */
async function importEdges() {
  const { output } = await cruise(['packages', 'engines'], configuration.options)
  if (typeof output === 'string') throw new Error('dependency-cruiser answered with text instead of its result')
  /** @type {Map<string, Set<string>>} */
  const edges = new Map()
  for (const { source, dependencies } of output.modules) {
    const from = part(source)
    if (from === undefined) continue
    const targets = edges.get(from) ?? new Set()
    edges.set(from, targets)
    for (const { resolved } of dependencies) {
      const to = part(resolved)
      if (to !== undefined && to !== from) targets.add(to)
    }
  }
  const rank = [...layers.flat(), 'skerry']
  /** @param {string} name */
  const position = (name) => (rank.includes(name) ? rank.indexOf(name) : rank.length)
  /** @param {string} a @param {string} b */
  const order = (a, b) => position(a) - position(b) || a.localeCompare(b)
  return new Map([...edges].toSorted(([a], [b]) => order(a, b)).map(([from, targets]) => [from, [...targets].toSorted(order)]))
}

/**
 * The node that a file belongs to; undefined for tests and for what is not ours.
 * @param {string} file
 */
function part(file) {
  if (/[.]test(-d)?[.]ts$|[/]fixtures[/]/.test(file)) return undefined
  const folder = /^packages\/skerry\/src\/([^/]+)\//.exec(file)?.[1]
  if (folder !== undefined) return folder
  if (file.startsWith('packages/skerry/src/')) return 'skerry'
  return /^(?:packages|engines)\/([^/]+)\/src\//.exec(file)?.[1]
}

/**
 * The graph without the arrows that a longer way makes superfluous.
 * @param {Map<string, string[]>} edges
 */
function withoutDetours(edges) {
  /** @param {string} from @param {string} to @param {Set<string>} seen @returns {boolean} */
  const reaches = (from, to, seen = new Set()) =>
    (edges.get(from) ?? []).some((next) => next === to || (!seen.has(next) && reaches(next, to, seen.add(next))))
  return new Map(
    [...edges].map(([from, targets]) => [from, targets.filter((to) => !targets.some((other) => other !== to && reaches(other, to)))]),
  )
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const block = await importGraphBlock()
  const documented = process.argv.includes('--write') ? documentedBlock() : undefined
  if (documented === undefined) console.log(block)
  else
    writeFileSync(
      document,
      readFileSync(document, 'utf8').replace(documented, () => block),
    )
}
