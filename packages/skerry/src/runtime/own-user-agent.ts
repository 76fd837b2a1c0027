/** What a host's clients call themselves in User-Agent: the service that calls, and the platform that it is built on. */
import { readFileSync } from 'node:fs'

/** `orders/1.1.0 skerry/0.1.0` for the service of a contract; `skerry/0.1.0` for the platform itself. */
export function userAgentOf(caller?: { readonly name: string; readonly version: string }): string {
  const platform = `skerry/${(version ??= readVersion())}`
  return caller === undefined ? platform : `${caller.name}/${caller.version} ${platform}`
}

let version: string | undefined

/** Sources and what is built from them lie equally deep in the package. */
function readVersion(): string {
  return (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version
}
