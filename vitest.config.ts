/**
 * How tests run. A file belongs to the first kind of project that has what it needs: `repository` and `unit` need nothing
 * outside the process, `engines` and `system` get one PostgreSQL and one RabbitMQ for the run (test/services/global-setup.ts).
 */
import { defineConfig } from 'vitest/config'

const never = ['**/node_modules/**', '**/dist/**']
const services = ['test/services/global-setup.ts']

export default defineConfig({
  test: {
    // Bounds for what hangs, not for what is slow: a busy machine must not fail a test.
    testTimeout: 120_000,
    hookTimeout: 180_000,
    teardownTimeout: 60_000,
    expect: { poll: { timeout: 30_000, interval: 20 } },
    // Much of the time goes into waiting for servers, so every core takes a file.
    maxWorkers: '100%',
    projects: [
      project('repository', { include: ['test/*.test.ts', 'test/services/**/*.test.ts', 'scripts/**/*.test.ts'] }),
      project('unit', {
        include: ['packages/**/*.test.ts', 'engines/pglite/**/*.test.ts'],
        exclude: ['packages/cli/**', 'packages/deploy/**'],
      }),
      project('engines', { include: ['engines/**/*.test.ts'], exclude: ['engines/pglite/**'], globalSetup: services }),
      project('system', {
        include: [
          'test/*/**/*.test.ts',
          'examples/**/*.test.ts',
          'shop/**/*.test.ts',
          'bench/**/*.test.ts',
          'packages/{cli,deploy}/**/*.test.ts',
        ],
        exclude: ['test/services/**'],
        globalSetup: services,
      }),
    ],
  },
})

function project(name: string, { exclude = [], ...options }: { include: string[]; exclude?: string[]; globalSetup?: string[] }) {
  return { extends: true as const, test: { name, exclude: [...never, ...exclude], ...options } }
}
