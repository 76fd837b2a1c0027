/** Tests about the repository itself: what the design promises about its shape, held to by reading the files. */
import { builtinModules } from 'node:module'
import { describe, expect, test } from 'vitest'
import { documentedBlock, importGraphBlock } from '../scripts/import-graph.mjs'
import { layers } from '../scripts/layers.mjs'
import { places, withoutComments } from './repo/code.ts'
import { exists, files, isTest, read, sources } from './repo/files.ts'
import { isAllowed } from './repo/licence.ts'
import { productionDependencies, published, workspace } from './repo/manifests.ts'

describe('the runtime', () => {
  test('is a Node that runs TypeScript as it is', () => {
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
    expect(major > 24 || (major === 24 && minor >= 12), `Node ${process.version} is older than 24.12: start tests with npm test`).toBe(true)
  })
})

describe('files', () => {
  const product = sources.filter((file) => /^(packages|engines)\/.*\/src\//.test(file) && !isTest(file))
  const lines = (file: string): number => read(file).split('\n').length - 1

  test('none is longer than 600 lines', () => {
    expect(sources.filter((file) => lines(file) > 600)).toEqual([])
  })

  test('half are at most 80 lines long, nine of ten at most 300', () => {
    const lengths = product.map(lines).toSorted((a, b) => a - b)
    expect(lengths[Math.floor(lengths.length * 0.5)]).toBeLessThanOrEqual(80)
    expect(lengths[Math.floor(lengths.length * 0.9)]).toBeLessThanOrEqual(300)
  })

  test('no folder is a drawer for what has no place', () => {
    const folders = new Set(files.flatMap((file) => file.split('/').slice(0, -1)))
    expect([...folders].filter((name) => /^(utils?|helpers?|commons?|types|misc|shared|lib)$/.test(name))).toEqual([])
  })

  test('every folder of the core is a layer', () => {
    const folders = new Set(sources.flatMap((file) => /^packages\/skerry\/src\/([^/]+)\//.exec(file)?.[1] ?? []))
    expect([...folders].filter((folder) => !layers.flat().includes(folder))).toEqual([])
  })

  test('every module opens with a comment that says what it is', () => {
    const modules = sources.filter((file) => !isTest(file))
    expect(modules.filter((file) => !/^(#!.*\n)?\s*(\/\*\*|\/\/)/.test(read(file)))).toEqual([])
  })

  test('none names the host of a package registry', () => {
    // Put together here, so that this file does not name them either.
    const hosts = ['registry.npmjs', 'registry.yarnpkg', 'npm.pkg.github', 'registry.npmmirror'].map(
      (name) => `${name}.${/yarn|github/.test(name) ? 'com' : 'org'}`,
    )
    hosts.push(['registry', 'npmmirror', 'com'].join('.'))
    expect(files.filter((file) => hosts.some((host) => read(file).includes(host)))).toEqual([])
  })
})

describe('code', () => {
  const banned =
    /\bDate\.now\b|\bnew Date\(\s*\)|(?<![.\w])set(?:Timeout|Interval|Immediate)\(|\bMath\.random\b|\brandomUUID\b|(?<![.\w])fetch\(|\bprocess\.hrtime\b|(?<![.\w])performance\.now\b/g
  // The simulation names what it watches for.
  const free = /^(packages\/skerry\/src\/base|test|scripts|bench)\/|^packages\/skerry\/src\/simulation\/escapes\.ts$|^[^/]+$/
  // The only way around: in an engine, where its driver owns the clock, by the linter's directive with a reason behind it.
  const directive = /^\s*\/\/ oxlint-disable-next-line [\w/, -]+ -- \S.*\n.*/gm

  test('takes time, randomness and ids from base/ alone', () => {
    const found = sources
      .filter((file) => !free.test(file) && !isTest(file))
      .flatMap((file) => {
        const excused = file.startsWith('engines/') ? [...read(file).matchAll(directive)].join('\n') : ''
        return places(file, withoutComments(read(file)), banned).filter((place) => !excused.includes(place.split(' ')[1] ?? place))
      })
    expect(found).toEqual([])
  })

  test('exports by name, never everything', () => {
    expect(sources.flatMap((file) => places(file, withoutComments(read(file)), /^export \* from .*/gm))).toEqual([])
  })

  test('what a published module imports is declared where it is installed', () => {
    const builtin = new Set(builtinModules)
    const undeclared = published.flatMap(({ directory, manifest }) => {
      const declared = new Set([...Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }), manifest.name])
      return sources
        .filter((file) => file.startsWith(`${directory}/src/`) && !isTest(file))
        .flatMap((file) => {
          const specifiers = [
            ...withoutComments(read(file)).matchAll(/^(?:import|export) (?:[^']*? from )?'([^'.][^']*)'|\bimport\('([^'.][^']*)'/gm),
          ].map(([, name, dynamic]) => name ?? dynamic ?? '')
          const names = specifiers
            .filter((name) => !name.startsWith('node:'))
            .map((name) =>
              name
                .split('/')
                .slice(0, name.startsWith('@') ? 2 : 1)
                .join('/'),
            )
          return names.filter((name) => !declared.has(name) || builtin.has(name)).map((name) => `${file}: ${name}`)
        })
    })
    expect(undeclared).toEqual([])
  })
})

describe('packages', () => {
  test.each(published.map(({ directory, manifest }) => [manifest.name, directory, manifest] as const))(
    '%s publishes what it exports here, built',
    (_name, directory, manifest) => {
      const source = manifest.exports ?? {}
      const built = Object.fromEntries(
        Object.entries(source).map(([subpath, target]) => {
          expect(target, `exports["${subpath}"] is one source file`).toMatch(/^\.\/src\/.*\.ts$/)
          const file = String(target)
          expect(exists(`${directory}/${file}`), `${directory}/${file} exists`).toBe(true)
          const stem = file.replace('./src/', './dist/').replace(/\.ts$/, '')
          return [subpath, { types: `${stem}.d.ts`, default: `${stem}.js` }]
        }),
      )
      expect(manifest.publishConfig?.exports).toEqual(built)
      expect(Object.keys(source).filter((subpath) => subpath.includes('*'))).toEqual([])
      expect(manifest.license).toBe('Apache-2.0')
      for (const [command, file] of Object.entries(manifest.bin ?? {})) {
        expect(exists(`${directory}/${file}`), `${directory}/${file} of command ${command} exists`).toBe(true)
        expect(manifest.publishConfig?.bin?.[command]).toBe(file.replace('./src/', './dist/').replace(/\.ts$/, '.js'))
      }
    },
  )

  test('all have one version, and are released together', () => {
    expect(new Set(published.map(({ manifest }) => manifest.version)).size).toBe(1)
    const { fixed } = JSON.parse(read('.changeset/config.json')) as { fixed: string[][] }
    expect(fixed).toEqual([published.map(({ manifest }) => manifest.name).toSorted()])
  })

  test('all are built, each after those it needs', () => {
    const references = (file: string): string[] =>
      ((JSON.parse(read(file)) as { references?: { path: string }[] }).references ?? []).map(({ path }) =>
        new URL(path, `file:///${file}`).pathname.slice(1),
      )
    expect(references('tsconfig.build.json').toSorted()).toEqual(
      published.map(({ directory }) => `${directory}/tsconfig.build.json`).toSorted(),
    )
    for (const { directory, manifest } of published) {
      const needed = published.filter(({ manifest: { name } }) => manifest.dependencies?.[name] !== undefined)
      expect(references(`${directory}/tsconfig.build.json`).toSorted()).toEqual(
        needed.map((other) => `${other.directory}/tsconfig.build.json`).toSorted(),
      )
    }
  })

  test('every dependency is one exact version, of the catalogue or of the workspace', () => {
    const loose = workspace.flatMap(({ manifest }) =>
      Object.entries({ ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies })
        .filter(([, range]) => !/^(\d+\.\d+\.\d+(-[\w.]+)?|catalog:|workspace:\*)$/.test(range))
        .map(([name, range]) => `${manifest.name}: ${name}@${range}`),
    )
    expect(loose).toEqual([])
  })

  test('all that users run with us has a licence that asks for no more than notice', () => {
    const users = workspace.filter(({ directory }) => /^(packages|engines|shop|examples)\//.test(`${directory}/`))
    const installed = productionDependencies(users)
    expect(installed.length).toBeGreaterThan(20)
    const refused = installed.filter(({ manifest }) => !isAllowed(manifest.license ?? manifest.licenses))
    expect(
      refused.map(
        ({ id, manifest, path }) => `${id} (${JSON.stringify(manifest.license ?? manifest.licenses)}) through ${path.join(' → ')}`,
      ),
    ).toEqual([])
  })

  test('a licence expression is allowed when it can be satisfied', () => {
    expect(
      ['MIT', 'MIT OR GPL-3.0-only', '(MIT OR Apache-2.0)', 'MIT AND (ISC OR GPL-2.0-only)', { type: 'MIT' }].map(isAllowed),
    ).not.toContain(false)
    expect(
      ['GPL-3.0-only', 'MIT AND GPL-3.0-only', 'UNLICENSED', 'SEE LICENSE IN LICENSE', undefined, {}, []].map(isAllowed),
    ).not.toContain(true)
  })
})

describe('documents', () => {
  const documents = files.filter((file) => file.endsWith('.md') && !file.startsWith('.changeset/'))

  test('links between files lead somewhere', () => {
    const broken = documents.flatMap((file) =>
      [...read(file).matchAll(/\]\((?!\w+:|#)([^)#\s]+)[^)]*\)/g)]
        .map(([, target]) => target ?? '')
        .flatMap((target) => {
          const path = new URL(target, `file:///${file}`).pathname.slice(1)
          return exists(decodeURIComponent(path)) ? [] : [`${file} → ${target}`]
        }),
    )
    expect(broken).toEqual([])
  })

  test('CONTRIBUTING.md knows the commands there are', () => {
    const { manifest } = workspace.find(({ directory }) => directory === '') ?? {}
    const commands = Object.keys(manifest?.scripts ?? {}).map((name) =>
      name === 'start' || name === 'test' ? `npm ${name}` : `npm run ${name}`,
    )
    const documented = [...read('CONTRIBUTING.md').matchAll(/^\| `(npm (?:run )?\w+)`/gm)].map(([, command]) => command ?? '')
    expect(documented.toSorted()).toEqual(commands.toSorted())
  })

  test('the import graph in ARCHITECTURE.md is the one there is (node scripts/import-graph.mjs --write)', async () => {
    expect(documentedBlock()).toBe(await importGraphBlock())
  })

  test('every command of README.md is one that this run tests', () => {
    // A block may instead name the test that runs it: <!-- run by test/readme.test.ts --> on the line before.
    const blocks = [...read('README.md').matchAll(/(?:<!-- run by (\S+) -->\n+)?```(?:sh|bash|shell|console)\n([\s\S]*?)```/g)]
    const runs = [...files.filter(isTest), '.ci/run', ...files.filter((file) => /^scripts\/.*\.mjs$/.test(file))].map((file) =>
      read(file).replaceAll(/\s+/g, ' '),
    )
    const unknown = blocks.flatMap(([, runner, text = '']) => {
      if (runner !== undefined) return exists(runner) && read(runner).includes('README.md') ? [] : [`${runner} does not read README.md`]
      const commands = text
        .replaceAll(/\\\n\s*/g, ' ')
        .split('\n')
        .map((line) =>
          line
            .replace(/^\$ /, '')
            .replace(/\s+#.*$/, '')
            .trim(),
        )
      return commands.filter(
        (command) => command !== '' && !command.startsWith('#') && !runs.some((run) => run.includes(command.replaceAll(/\s+/g, ' '))),
      )
    })
    expect(unknown).toEqual([])
    expect(blocks.length).toBeGreaterThan(0)
  })
})
