import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { PaymentConfig } from './config.ts'
import { startSandbox } from './sandbox-process.ts'

const options = { webhookSecret: 'a secret of this test', webhookUrl: undefined, bookFile: undefined }
const isThere = async (url: string): Promise<boolean> =>
  fetch(`${url}/v1/book`).then(
    ({ ok }) => ok,
    () => false,
  )

test('the sandbox is a process of its own, gone when it is disposed of', async () => {
  const sandbox = await startSandbox(options)
  expect(await isThere(sandbox.url)).toBe(true)
  await sandbox[Symbol.asyncDispose]()
  expect(await isThere(sandbox.url)).toBe(false)
})

test('it does not outlive whoever has started it, however that ends', async () => {
  const starter = `
    import { startSandbox } from '${new URL('./sandbox-process.ts', import.meta.url).href}'
    console.log((await startSandbox({ webhookSecret: 'secret', webhookUrl: undefined, bookFile: undefined })).url)
    setInterval(() => {}, 1_000)`
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', starter], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void parent.kill('SIGKILL'))
  const [url] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string]
  expect(await isThere(url)).toBe(true)
  parent.kill('SIGKILL')
  await expect.poll(() => isThere(url)).toBe(false)
})

test('in production there is no sandbox, and no provider without its secret', () => {
  const provider = { PAYMENT_PROVIDER_URL: 'https://provider.example', PAYMENT_WEBHOOK_SECRET: 'sixteen letters!' }
  const mistakes = (environment: object) =>
    PaymentConfig.safeParse(environment).error?.issues.map(({ path, message }) => `${path.join()} ${message}`)
  expect(mistakes({})).toBeUndefined()
  expect(mistakes({ NODE_ENV: 'production', ...provider })).toBeUndefined()
  expect(mistakes({ NODE_ENV: 'production' })).toEqual([expect.stringMatching(/^PAYMENT_PROVIDER_URL is missing/)])
  expect(mistakes({ PAYMENT_PROVIDER_URL: provider.PAYMENT_PROVIDER_URL })).toEqual([
    expect.stringMatching(/^PAYMENT_WEBHOOK_SECRET is missing/),
  ])
  expect(mistakes({ ...provider, PAYMENT_PROVIDER_URL: 'ftp://provider.example' })).toHaveLength(1)
})
