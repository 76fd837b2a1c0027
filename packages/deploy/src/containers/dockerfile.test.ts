/** What the images do is tested by doing what their Dockerfiles say, in test/containers. Here: that Docker can read them, and what is refused. */
import { DockerfileParser } from 'dockerfile-ast'
import { validate } from 'dockerfile-utils'
import { expect, test } from 'vitest'
import { fixtureShop } from '../fixtures/shop.ts'
import type { ImageOptions } from './dockerfile.ts'
import { dockerfile, dockerignore } from './dockerfile.ts'
import { nginxDockerfile } from './gateway-dockerfile.ts'

const inWorkspace: ImageOptions = {
  workspace: {
    packageName: '@shop/system',
    folders: ['packages/tools', 'shop', 'shop/services/orders/service'],
    rootFiles: ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml'],
    packageManager: 'pnpm@12.21.0',
  },
  systemFile: 'shop/system.ts',
}
const single: ImageOptions = {
  workspace: { packageName: 'shop', folders: ['.'], rootFiles: ['package.json', 'pnpm-lock.yaml'], packageManager: 'pnpm@12.21.0' },
  systemFile: 'system.ts',
}

test.each<[string, string]>([
  ['a service in a workspace', dockerfile(fixtureShop, 'user-service', inWorkspace)],
  ['a service that is a package of its own', dockerfile(fixtureShop, 'user-service', single)],
  ['the embedded gateway', dockerfile(fixtureShop, 'gateway', inWorkspace)],
  ['nginx', nginxDockerfile()],
])('Docker has nothing against the Dockerfile of %s', (_what, text) => {
  expect(validate(text)).toEqual([])
})

/** By keyword, the arguments of the last stage's instructions. */
function lastStage(text: string): Map<string, string[]> {
  const instructions = DockerfileParser.parse(text).getInstructions()
  const from = instructions.findLastIndex((instruction) => instruction.getKeyword() === 'FROM')
  const found = new Map<string, string[]>()
  for (const instruction of instructions.slice(from))
    found.set(instruction.getKeyword(), [...(found.get(instruction.getKeyword()) ?? []), instruction.getArgumentsContent() ?? ''])
  return found
}

test('one process, as nobody, that gets the signals itself', () => {
  const stage = lastStage(dockerfile(fixtureShop, 'user-service', inWorkspace))
  expect(stage.get('USER')).toEqual(['node'])
  expect(stage.get('STOPSIGNAL')).toEqual(['SIGTERM'])
  expect(stage.get('EXPOSE')).toEqual(['8080'])
  expect(stage.get('ENV')).toEqual(['NODE_ENV=production HOST=0.0.0.0 PORT=8080'])
  expect(stage.has('ENTRYPOINT')).toBe(false)
  expect(JSON.parse(stage.get('CMD')![0]!)).toEqual([
    'node',
    'node_modules/@skerry/cli/dist/main.js',
    'start',
    'user-service',
    '--system',
    'shop/system.ts',
  ])
  expect(stage.get('LABEL')).toEqual(['org.opencontainers.image.title="user-service" org.opencontainers.image.version="2.1.0"'])
})

test('only the lockfile decides what is installed, and only for the package that defines the system', () => {
  expect(dockerfile(fixtureShop, 'user-service', inWorkspace)).toContain(
    'npx --yes pnpm@12.21.0 install --frozen-lockfile --prod --filter-prod "@shop/system..." --pm-on-fail=ignore',
  )
  expect(dockerfile(fixtureShop, 'user-service', single)).toContain(
    'npx --yes pnpm@12.21.0 install --frozen-lockfile --prod --pm-on-fail=ignore',
  )
})

test('nothing runs npm or a shell when the image runs', () => {
  for (const text of [dockerfile(fixtureShop, 'mail', inWorkspace), nginxDockerfile()]) {
    const stage = lastStage(text)
    expect(stage.has('RUN')).toBe(false)
    expect(stage.get('CMD')).toEqual([expect.stringMatching(/^\["(node|nginx)",/)])
    expect(stage.get('HEALTHCHECK')).toEqual([expect.stringMatching(/CMD \["(node|curl)",/)])
  }
})

test('what is not allowed into the context stays out', () => {
  const lines = dockerignore(inWorkspace)
    .split('\n')
    .filter((line) => !line.startsWith('#'))
  expect(lines.slice(0, 6)).toEqual(['*', '!package.json', '!pnpm-lock.yaml', '!pnpm-workspace.yaml', '!packages/tools', '!shop'])
  // The last line that fits a path decides, so what must never come in stands behind what may.
  for (const never of ['**/.env*', '**/.npmrc', '**/node_modules', '**/*.test.ts'])
    expect(lines.indexOf(never)).toBeGreaterThan(lines.indexOf('!shop'))
  expect(dockerignore(single)).not.toMatch(/^\*$/m)
  expect(dockerignore({ ...single, systemFile: 'dist/system.js' })).not.toContain('**/dist')
})

test('an unknown service is refused with those there are', () => {
  expect(() => dockerfile(fixtureShop, 'user', inWorkspace)).toThrow(
    /has no service named "user". It has: user-service, order-service, mail, prices, gateway/,
  )
})

test.each<[string, Partial<ImageOptions>, RegExp]>([
  ['a file outside the context', { systemFile: '../system.ts' }, /systemFile is "\.\.\/system\.ts"/],
  ['a file from the root of the machine', { systemFile: '/system.ts' }, /systemFile/],
  ['a path with a space', { program: 'my tools/main.js' }, /program/],
  ['an option instead of a path', { systemFile: '--eval' }, /systemFile/],
  ['an image with an instruction', { nodeImage: 'node:24\nRUN curl evil' }, /nodeImage/],
  ['a variable', { nodeImage: '$IMAGE' }, /nodeImage/],
  ['a folder outside', { workspace: { ...inWorkspace.workspace, folders: ['a/../../b'] } }, /folder is "a\/\.\.\/\.\.\/b"/],
  ['a package name with a quote', { workspace: { ...inWorkspace.workspace, packageName: 'a"; rm -rf /' } }, /package/],
])('refuses %s', (_what, options, reason) => {
  expect(() => dockerfile(fixtureShop, 'user-service', { ...inWorkspace, ...options })).toThrow(reason)
})
