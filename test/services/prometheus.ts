/** A Prometheus of one's own that scrapes what it is told to, every second; gone when closed or when the test run dies. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { openSandbox } from './sandbox.ts'
import { waitUntil } from './wait-until.ts'

export interface PrometheusServer {
  /** The values of an instant query in PromQL, with their labels. */
  query(promql: string): Promise<readonly { readonly metric: Readonly<Record<string, string>>; readonly value: number }[]>
  close(): Promise<void>
}

const START_TIMEOUT_MS = 30_000

/** `targets`: `127.0.0.1:9464`, of hosts that serve /metrics. */
export async function startPrometheus(targets: readonly string[]): Promise<PrometheusServer> {
  const sandbox = await openSandbox('prometheus')
  try {
    const port = await freePort()
    const configuration = join(sandbox.directory, 'prometheus.yml')
    await mkdir(join(sandbox.directory, 'data'))
    await writeFile(
      configuration,
      `global: { scrape_interval: 1s }\nscrape_configs: [{ job_name: skerry, static_configs: [{ targets: ${JSON.stringify(targets)} }] }]\n`,
    )
    const running = await sandbox.run('prometheus', 'prometheus', [
      `--config.file=${configuration}`,
      `--storage.tsdb.path=${join(sandbox.directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ])
    const url = `http://127.0.0.1:${port}`
    await waitUntil(
      `Prometheus is ready on port ${port}`,
      START_TIMEOUT_MS,
      async () => {
        if (running.exited) throw new Error(`Prometheus did not start. ${await running.logTail()}`)
        return fetch(`${url}/-/ready`).then(
          ({ ok }) => ok || undefined,
          () => undefined,
        )
      },
      () => running.logTail(),
    )
    return {
      async query(promql) {
        const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(promql)}`)
        const body = (await answer.json()) as {
          readonly status: string
          readonly error?: string
          readonly data: { readonly result: readonly { metric: Record<string, string>; value: [number, string] }[] }
        }
        if (body.status !== 'success') throw new Error(`Prometheus refused ${promql}: ${body.error}`)
        return body.data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }))
      },
      async close() {
        await running.end('SIGKILL')
        await sandbox.close()
      },
    }
  } catch (error) {
    await sandbox.close()
    throw error
  }
}
