/**
 * What type-checking costs as a system grows. A service sees only the contracts it uses, so each must cost the same
 * however many there are. Counted is what the compiler instantiates, which no other load on the machine changes.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OPERATIONS_PER_SERVICE, writeSystem } from './contract-types/generate.ts'
import { root } from './repo/files.ts'

const run = promisify(execFile)
const TSC = join(root, 'node_modules', 'typescript', 'bin', 'tsc')

interface Cost {
  readonly types: number
  readonly instantiations: number
  readonly seconds: number
}

/** Type-checks a folder on one thread: each further one would instantiate what it shares with the others again. */
async function typeCheck(folder: string): Promise<string> {
  const { stdout } = await run(process.execPath, [TSC, '-p', folder, '--singleThreaded', '--extendedDiagnostics', '--pretty', 'false'])
  return stdout
}

function costIn(diagnostics: string): Cost {
  const figure = (name: string): number => Number(new RegExp(`^${name}:\\s+([\\d.]+)s?$`, 'm').exec(diagnostics)?.[1])
  return { types: figure('Types'), instantiations: figure('Instantiations'), seconds: figure('Total time') }
}

describe('type-checking a system', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-types-'))
  const costs = new Map<number, Cost>()
  const folderOf = (services: number): string => join(folder, `${services}`)

  beforeAll(async () => {
    for (const services of [30, 60]) {
      writeSystem(folderOf(services), services)
      costs.set(services, costIn(await typeCheck(folderOf(services))))
    }
  }, 600_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('costs twice as much for twice the services', () => {
    const [half, whole] = [costs.get(30)!, costs.get(60)!]
    expect(whole.instantiations).toBeGreaterThan(half.instantiations)
    expect(whole.instantiations).toBeLessThanOrEqual(2.3 * half.instantiations)
    expect(whole.types).toBeLessThanOrEqual(2.3 * half.types)
  })

  test(`costs a service of ${OPERATIONS_PER_SERVICE} operations no more than its budget`, () => {
    const [half, whole] = [costs.get(30)!, costs.get(60)!]
    const perService = { types: (whole.types - half.types) / 30, instantiations: (whole.instantiations - half.instantiations) / 30 }
    console.log(
      `60 services of ${OPERATIONS_PER_SERVICE} operations: ${whole.seconds.toFixed(1)} s on one thread; each further service ` +
        `${Math.round(perService.instantiations)} instantiations and ${Math.round(perService.types)} types`,
    )
    expect(perService.instantiations).toBeLessThanOrEqual(30_000)
    expect(perService.types).toBeLessThanOrEqual(4_500)
  })

  test('finds the mistakes in it', async () => {
    const mistaken = `import { contract1 } from './service1/contract.ts'
import type { Client } from 'skerry/client'
declare const client: Client<typeof contract1>
void client.read0({ id: 5 })
`
    writeFileSync(join(folderOf(30), 'mistaken.ts'), mistaken)
    const failure = await typeCheck(folderOf(30)).then(
      () => undefined,
      (error: unknown) => error as { readonly stdout: string },
    )
    expect(failure?.stdout).toContain("mistaken.ts(4,21): error TS2322: Type 'number' is not assignable to type 'string'")
  }, 600_000)
})
