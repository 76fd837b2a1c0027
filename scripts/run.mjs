/**
 * What `npm start`, `npm test` and the other commands of package.json run. It needs only Node 20 and npm: it fetches
 * the rest (pnpm, the locked dependencies, Node 24; for tests PostgreSQL, RabbitMQ and nginx), says what it does, and
 * ends with the exit code of the command. When something is in the way it names the cause and the cure.
 */
import { availableParallelism } from 'node:os'
import { dependencies } from './run/dependencies.mjs'
import { pinnedNode } from './run/pinned-node.mjs'
import { passThrough } from './run/process.mjs'
import { checkAll } from './run/rails.mjs'
import { fail, Failure } from './run/terminal.mjs'
import { testServices } from './run/test-services.mjs'
import { runTests } from './run/tests.mjs'

/** @type {Record<string, { purpose: string, run: (node: string, parameters: string[]) => Promise<number> }>} */
const commands = {
  start: {
    purpose: 'the shop, all its services in one process',
    run: (node, parameters) => passThrough(node, ['packages/cli/src/main.ts', 'dev', '--system', 'shop/system.ts', ...parameters]),
  },
  ecommerce: {
    purpose: 'the smallest example, all its services in one process',
    run: (node, parameters) =>
      passThrough(node, ['packages/cli/src/main.ts', 'dev', '--system', 'examples/ecommerce/system.ts', ...parameters]),
  },
  test: {
    purpose: 'every check and every test; with arguments (`npm test -- packages/skerry`) only the tests they select',
    async run(node, parameters) {
      await testServices({ required: parameters.length === 0 })
      const failedChecks = parameters.length === 0 ? await checkAll(node) : []
      return runTests(node, parameters, failedChecks)
    },
  },
  check: {
    purpose: 'the checks alone: format, lint, layers, types, dead code, packages',
    run: async (node) => ((await checkAll(node)).length === 0 ? 0 : 1),
  },
  skerry: {
    purpose: 'the skerry command itself: `npm run skerry -- --help`',
    run: (node, parameters) => passThrough(node, ['packages/cli/src/main.ts', ...parameters]),
  },
  generate: {
    purpose: 'write the generated files of the examples again: Dockerfiles, Compose file, nginx configuration',
    run: (node) => passThrough(node, ['test/containers/ecommerce-files.ts']),
  },
  simulate: {
    purpose: 'simulations of the shop under new seeds, until it is stopped; with arguments (`npm run simulate -- --seed 7`) what they say',
    run: (node, parameters) =>
      passThrough(node, [
        'packages/cli/src/main.ts',
        'simulate',
        ...(parameters.length === 0 ? ['--until-stopped', '--workers', String(availableParallelism())] : parameters),
      ]),
  },
  bench: {
    purpose: 'every figure we claim, measured against a peer',
    async run(node, parameters) {
      await testServices({ required: parameters.length === 0 })
      return passThrough(node, ['bench/main.ts', ...parameters])
    },
  },
}

async function main() {
  const [name = '', ...parameters] = process.argv.slice(2)
  const command = commands[name]
  if (command === undefined) {
    const list = Object.entries(commands).map(
      ([known, { purpose }]) => `  npm ${known === 'start' || known === 'test' ? '' : 'run '}${known}: ${purpose}`,
    )
    throw new Failure(`There is no command ${name === '' ? 'without a name' : `"${name}"`}.`, `Use one of\n${list.join('\n')}`)
  }
  await dependencies()
  return command.run(await pinnedNode(), parameters)
}

try {
  process.exitCode = await main()
} catch (error) {
  process.exitCode = fail(error)
}
