/** The generated Compose file and Dockerfiles of the e-commerce example, rehearsed: what they say is done here, with real servers, but without Docker. */
import { access, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ecommerceSuite } from '../topologies/ecommerce-suite.ts'
import { request } from '../topologies/request.ts'
import { folder, root } from './ecommerce-files.ts'
import type { Rehearsal } from './rehearsal.ts'
import { rehearse } from './rehearsal.ts'

const startTimeoutMs = 400_000

describe('docker-compose.yml of the e-commerce example, as processes behind nginx', { timeout: 120_000 }, () => {
  let rehearsal: Rehearsal
  beforeAll(async () => {
    rehearsal = await rehearse(root, folder)
  }, startTimeoutMs)
  afterAll(async () => {
    await rehearsal?.[Symbol.asyncDispose]()
  })

  ecommerceSuite(() => rehearsal)

  test('every service is ready, on its own database and on the broker', async () => {
    for (const [name, url] of Object.entries(rehearsal.serviceUrls)) {
      const { status, body } = await request('GET', `${url}/health/ready`)
      expect([name, status, body]).toMatchObject([name, 200, { status: 'ready', checks: { [`database:${name}`]: { status: 'up' } } }])
    }
  })

  test('the image holds what it needs to run, and nothing that only building or testing needs', async () => {
    const installed = await readdir(join(rehearsal.app, 'node_modules/.pnpm'))
    expect(installed).toEqual(expect.arrayContaining([expect.stringMatching(/^kysely@/), expect.stringMatching(/^pino@/)]))
    expect(installed.filter((name) => /^(vitest|typescript|@types|vite|oxlint|fast-check|node)@/.test(name))).toEqual([])
    const files = await readdir(rehearsal.app, { recursive: true })
    const own = files.filter((file) => !file.includes('node_modules/'))
    expect(own.filter((file) => /[.]test[.]ts$|(^|\/)(\.git|\.env|dist|Dockerfile|docker-compose)/.test(file))).toEqual([])
    for (const never of ['shop', 'bench', 'test', 'docs']) await expect(access(join(rehearsal.app, never))).rejects.toThrow('ENOENT')
  })

  test('a service that is stopped ends by itself; the others go on, and what needs it is unavailable', async () => {
    await request('POST', `${rehearsal.gatewayUrl}/users`, { id: 900, name: 'Ann', email: 'ann@example.com' })
    expect(await rehearsal.stop('order-service')).toEqual({ code: 0, signal: null })
    const refused = await request('GET', `${rehearsal.gatewayUrl}/orders/7`)
    expect(refused).toMatchObject({ status: 503, body: { code: 'unavailable', detail: 'order-service is unavailable' } })
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(await request('GET', `${rehearsal.gatewayUrl}/users/900`)).toMatchObject({ status: 200 })
  })
})
