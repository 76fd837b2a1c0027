/**
 * Who may import whom. Inside the core the layers decide (scripts/layers.mjs); around it, engines know only their port
 * and services know of each other only contracts. Type-only imports count: they couple just as well.
 */
import { builtinModules } from 'node:module'
import { layers } from './scripts/layers.mjs'

const tests = '[.]test(-d)?[.]ts$|/fixtures/'
// A service's folder, in the shop and in the examples; `$1` in a rule's target is the one that imports.
const service = '^((?:shop/services|examples/[^/]+)/[^/]+)/'
const servicePlaces = '^(?:shop/services|examples/[^/]+)/[^/]+/'

export default {
  forbidden: [
    ...layers.flatMap((row, index) =>
      row.map((folder) => ({
        name: `layer-${folder}`,
        severity: 'error',
        comment: `${folder}/ may import only: ${layers.slice(0, index).flat().join(', ') || 'nothing of ours'}.`,
        from: { path: `^packages/skerry/src/${folder}/`, pathNot: tests },
        to: { path: '^packages/skerry/src/', pathNot: `^packages/skerry/src/(${[folder, ...layers.slice(0, index).flat()].join('|')})/` },
      })),
    ),
    {
      name: 'known-layers-only',
      severity: 'error',
      comment: 'A folder of the core is one of the layers in scripts/layers.mjs.',
      from: {},
      to: { path: '^packages/skerry/src/[^/]+/', pathNot: `^packages/skerry/src/(${layers.flat().join('|')})/` },
    },
    {
      name: 'core-stands-alone',
      severity: 'error',
      comment: 'The core imports no other package of this repository; engines and tools import it.',
      from: { path: '^packages/skerry/src/' },
      to: { path: '^(packages|engines|shop|examples|test|bench|scripts)/', pathNot: '^packages/skerry/src/' },
    },
    {
      name: 'contract-runs-anywhere',
      severity: 'error',
      comment: 'Contracts are read by browsers and generators too: nothing they reach may need Node.',
      from: { path: '^packages/skerry/src/contract/', pathNot: tests },
      to: { path: `^(node:)?(${builtinModules.join('|')})$`, reachable: true },
    },
    {
      name: 'client-has-no-node-module',
      severity: 'error',
      comment: 'client/ reaches the network through undici or a link that is passed in, never through a module of Node.',
      from: { path: '^packages/skerry/src/client/', pathNot: tests },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'engines-only-see-engine',
      severity: 'error',
      comment: 'An engine imports `skerry/engine` and its own driver: the port is all it knows.',
      from: { path: '^engines/([^/]+)/src/', pathNot: tests },
      to: { path: '^(packages|engines|shop|examples)/', pathNot: ['^packages/skerry/src/engine/index[.]ts$', '^engines/$1/'] },
    },
    {
      name: 'engine-tests-see-testing',
      severity: 'error',
      comment: 'A test of an engine may also import `skerry/testing` and `skerry/conformance`.',
      from: { path: `^engines/([^/]+)/src/.*(${tests})` },
      to: {
        path: '^(packages|engines|shop|examples)/',
        pathNot: ['^packages/skerry/src/(engine|testing|testing/conformance)/index[.]ts$', '^engines/$1/'],
      },
    },
    {
      name: 'services-see-only-contracts-of-others',
      severity: 'error',
      comment: "Another service's contract is its only door: import from its contract, or listen to its events.",
      from: { path: service },
      to: { path: servicePlaces, pathNot: ['^$1/', `${servicePlaces}contract(/|[.]ts$)`] },
    },
    {
      name: 'contracts-import-only-contracts',
      severity: 'error',
      comment: 'A contract imports `skerry/contract`, a schema library and nothing else: it is read where its service is not.',
      from: { path: `${service}contract(/|[.]ts$)`, pathNot: tests },
      to: { path: '^(packages|engines|shop|examples)/', pathNot: ['^packages/skerry/src/contract/index[.]ts$', '^$1/contract(/|[.]ts$)'] },
    },
    {
      name: 'services-choose-no-engine',
      severity: 'error',
      comment: 'Which database and broker a service runs on is configuration: only a system or a test names an engine.',
      from: { path: service, pathNot: tests },
      to: { path: '^(engines/|packages/(?!skerry/))' },
    },
    {
      name: 'deploy-knows-no-engine',
      severity: 'error',
      comment: 'packages/deploy writes files about contracts and systems; it runs none of them.',
      from: { path: '^packages/deploy/src/', pathNot: tests },
      to: { path: '^engines/' },
    },
    {
      name: 'no-circular',
      severity: 'error',
      comment: 'Two modules that need each other are one module, or hide a third.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      severity: 'error',
      comment: 'The import leads nowhere: a typing error, or a dependency that the package does not declare.',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'sources-import-no-test',
      severity: 'error',
      comment: 'What tests share lives in a module of its own, not in a test.',
      from: { pathNot: tests },
      to: { path: tests },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(node_modules|dist)/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
}
