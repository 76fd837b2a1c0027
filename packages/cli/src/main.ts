#!/usr/bin/env node
/** The `skerry` command. Only this file must load on any Node: it says which one is needed before the others are read. */
import module from 'node:module'
import process from 'node:process'

const NEEDED = [24, 12] as const

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  process.stderr.write(
    `skerry needs Node ${NEEDED.join('.')} or later, and this is ${process.versions.node}.\n\nWhat to do: install a newer Node.\n`,
  )
  process.exit(1)
}

// Modules that have been compiled once are loaded in half the time from then on.
module.enableCompileCache()
const { run } = await import('./program.ts')
await run(process.argv.slice(2))
