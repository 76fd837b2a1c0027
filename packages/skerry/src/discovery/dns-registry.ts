/**
 * Instances by DNS: the addresses of one name (A, else AAAA), or the hosts and ports of its SRV records. They are asked for again when the answer
 * has lived for as long as it says. An answer that is bad or empty changes nothing.
 */
import { Resolver } from 'node:dns/promises'
import type { Clock } from '../base/clock.ts'
import { sleep } from '../base/clock.ts'
import type { RegistrySettings } from '../engine/registry-sessions.ts'
import { openRegistry } from '../engine/registry-sessions.ts'
import type { Registry, RegistryOptions, ServiceAddress } from '../engine/registry.ts'
import type { DnsName } from './dns-url.ts'

interface Answer {
  readonly urls: readonly string[]
  readonly ttlMs: number
}

/** A name without a time to live, or with a short one, is not asked for more often. */
const MIN_TTL_MS = 1_000
/** Nor is one that lives long: who runs the server may want to change it. */
const MAX_TTL_MS = 30_000
/** SRV records come without their time to live from Node. */
const SRV_TTL_MS = 5_000
const QUERY_TIMEOUT_MS = 2_000
const QUERY_TRIES = 2

/** A registry in which every service is at this name. */
export function dnsRegistry(name: DnsName, settings: RegistrySettings, options: RegistryOptions): Registry {
  return openRegistry(
    { description: `DNS name ${name.host}`, follow: (_service, tell, signal) => follow(name, settings.clock, tell, signal) },
    settings,
    options,
  )
}

async function follow(
  name: DnsName,
  clock: Clock,
  tell: (instances: readonly ServiceAddress[]) => void,
  signal: AbortSignal,
): Promise<void> {
  const resolver = new Resolver({ timeout: QUERY_TIMEOUT_MS, tries: QUERY_TRIES })
  if (name.resolver !== undefined) resolver.setServers([name.resolver])
  const cancel = (): void => resolver.cancel()
  signal.addEventListener('abort', cancel, { once: true })
  let told: string | undefined
  try {
    while (!signal.aborted) {
      const { urls, ttlMs } = await (name.kind === 'srv' ? services(resolver, name) : addresses(resolver, name))
      if (urls.length === 0) throw new Error(`${name.host} has no addresses`)
      const text = urls.join()
      if (text !== told) tell(urls.map((url) => ({ id: url, url })))
      told = text
      await sleep(clock, Math.min(MAX_TTL_MS, Math.max(MIN_TTL_MS, ttlMs)), signal)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

async function addresses(resolver: Resolver, { host, port }: Pick<DnsName, 'host' | 'port'>): Promise<Answer> {
  const four = await resolver.resolve4(host, { ttl: true }).catch(orEmpty)
  const records = four.length > 0 ? four : await resolver.resolve6(host, { ttl: true })
  return {
    urls: records.map(({ address }) => `http://${address.includes(':') ? `[${address}]` : address}:${port}`).toSorted(),
    ttlMs: Math.min(...records.map(({ ttl }) => ttl)) * 1_000,
  }
}

/** Those of the best priority; weights are not for us, who see how fast each answers. */
async function services(resolver: Resolver, { host }: DnsName): Promise<Answer> {
  const records = await resolver.resolveSrv(host)
  const best = Math.min(...records.map(({ priority }) => priority))
  const answers = await Promise.all(
    records
      .filter(({ priority }) => priority === best)
      // A name that this server does not know may be one of the machine's own.
      .map(({ name, port }) =>
        addresses(resolver, { host: name, port }).catch(() => ({ urls: [`http://${name}:${port}`], ttlMs: SRV_TTL_MS })),
      ),
  )
  return { urls: answers.flatMap(({ urls }) => urls).toSorted(), ttlMs: Math.min(SRV_TTL_MS, ...answers.map(({ ttlMs }) => ttlMs)) }
}

/** The name exists and has no record of this kind. */
function orEmpty(error: NodeJS.ErrnoException): [] {
  if (error.code === 'ENODATA') return []
  throw error
}
