/** Runs Vitest over every project, and ends with one plain line that people and machines can read. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { passThrough, root } from './process.mjs'
import { say } from './terminal.mjs'

/**
 * @param {string} node
 * @param {readonly string[]} parameters go to Vitest
 * @param {readonly string[]} failedChecks of before; each counts as a failure, so that the line never contradicts the exit code
 * @returns {Promise<number>} the exit code
 */
export async function runTests(node, parameters, failedChecks) {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-test-counts-'))
  try {
    const counts = join(directory, 'counts.json')
    const vitest = [
      join(root, 'node_modules', 'vitest', 'vitest.mjs'),
      'run',
      '--reporter=default',
      `--reporter=${join(root, 'scripts', 'run', 'count-reporter.mjs')}`,
    ]
    const code = await passThrough(node, [...vitest, ...parameters], { SKERRY_TEST_COUNTS: counts })
    if (failedChecks.length > 0) say(`Failed before the tests: ${failedChecks.join(', ')}`)
    const { passed, failed } = read(counts)
    // A run that counted no failure and still failed broke down itself (in a global setup, say).
    const failures = failed + failedChecks.length + (code !== 0 && failed === 0 ? 1 : 0)
    console.log(`${passed} passed, ${failures} failed`)
    return code === 0 && failures > 0 ? 1 : code
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/**
 * @param {string} file
 * @returns {{ passed: number, failed: number }} zeros when the run did not get as far as to count
 */
function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return { passed: 0, failed: 0 }
  }
}
