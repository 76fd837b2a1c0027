/** A Vitest reporter that leaves the counts of a run in the file named by SKERRY_TEST_COUNTS, for the last line of `npm test`. */
import { writeFileSync } from 'node:fs'

export default class CountReporter {
  /**
   * @param {ReadonlyArray<import('vitest/node').TestModule>} modules
   * @param {ReadonlyArray<unknown>} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    const file = process.env['SKERRY_TEST_COUNTS']
    if (file === undefined) return
    let passed = 0
    // A file that does not load and an error that no test caught fail the run without failing a test: each counts as one.
    let failed = unhandledErrors.length
    for (const module of modules) {
      failed += module.errors().length
      for (const suite of module.children.allSuites()) failed += suite.errors().length
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') passed++
        else if (state === 'failed') failed++
      }
    }
    writeFileSync(file, JSON.stringify({ passed, failed }))
  }
}
