import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readWorkspace } from './workspace.ts'

async function workspaceOf(files: Readonly<Record<string, unknown>>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'skerry-workspace-'))
  onTestFinished(() => rm(root, { recursive: true }))
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return root
}

const shop = {
  'package.json': { name: 'root', packageManager: 'pnpm@12.21.0', devDependencies: { typescript: '7.0.2' } },
  'pnpm-lock.yaml': '',
  'pnpm-workspace.yaml': 'packages:\n  - packages/*\n  - shop\n  - shop/services/*/*\n',
  'shop/package.json': {
    name: '@shop/system',
    dependencies: { '@shop/orders': 'workspace:*', pg: '8.0.0' },
    devDependencies: { '@tools/test': 'workspace:*' },
  },
  'shop/services/orders/service/package.json': {
    name: '@shop/orders',
    dependencies: { '@shop/orders-contract': 'workspace:^' },
    optionalDependencies: { '@tools/log': 'workspace:*' },
  },
  'shop/services/orders/contract/package.json': { name: '@shop/orders-contract', dependencies: { '@shop/orders': 'workspace:*' } },
  'packages/test/package.json': { name: '@tools/test' },
  'packages/log/package.json': { name: '@tools/log', peerDependencies: { '@tools/test': 'workspace:*' } },
  'packages/pg/package.json': { name: 'pg' },
  'packages/log/node_modules/x/package.json': { name: '@shop/orders' },
  'unlisted/package.json': { name: '@shop/unlisted' },
}

test('the folders that the package needs at run time, and no others', async () => {
  expect(await readWorkspace(await workspaceOf(shop), 'shop')).toEqual({
    packageName: '@shop/system',
    folders: ['packages/log', 'shop', 'shop/services/orders/contract', 'shop/services/orders/service'],
    rootFiles: ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml'],
    packageManager: 'pnpm@12.21.0',
  })
})

test('a project that is one package', async () => {
  const root = await workspaceOf({ 'package.json': { name: 'shop', packageManager: 'pnpm@12.21.0' }, 'pnpm-lock.yaml': '' })
  expect(await readWorkspace(root, './')).toMatchObject({
    packageName: 'shop',
    folders: ['.'],
    rootFiles: ['package.json', 'pnpm-lock.yaml'],
  })
})

test.each<[string, Readonly<Record<string, unknown>>, string, RegExp]>([
  ['a folder without a package', shop, 'shop/services', /no package with a name in "shop\/services"; there is \., packages\/log/],
  ['a package outside the workspace', shop, 'unlisted', /no package with a name in "unlisted"/],
  ['no lockfile', { ...shop, 'pnpm-lock.yaml': undefined }, 'shop', /no pnpm-lock\.yaml/],
  ['no pinned package manager', { ...shop, 'package.json': { name: 'root' } }, 'shop', /must pin "packageManager"/],
  ['a range of package managers', { ...shop, 'package.json': { packageManager: 'pnpm@^12' } }, 'shop', /must pin "packageManager"/],
  ['another package manager', { ...shop, 'package.json': { packageManager: 'yarn@4.0.0' } }, 'shop', /exact pnpm/],
])('refuses %s', async (_what, files, folder, reason) => {
  const root = await workspaceOf(Object.fromEntries(Object.entries(files).filter(([, content]) => content !== undefined)))
  await expect(readWorkspace(root, folder)).rejects.toThrow(reason)
})
