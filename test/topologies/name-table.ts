/**
 * Loaded into a host before everything else (`node --import`): host names are looked up in a JSON file, which a test
 * rewrites as an operator or an orchestrator changes DNS. What is not in the file is looked up as usual.
 */
import dns from 'node:dns'
import { readFileSync } from 'node:fs'

const usual = dns.lookup

dns.lookup = ((hostname: string, options: dns.LookupOptions, callback: (error: Error | null, ...result: unknown[]) => void) => {
  const table = JSON.parse(readFileSync(process.env['NAME_TABLE']!, 'utf8')) as Record<string, string>
  const address = table[hostname]
  if (address === undefined) usual(hostname, options, callback)
  else if (options.all === true) callback(null, [{ address, family: 4 }])
  else callback(null, address, 4)
}) as typeof dns.lookup
