/** What `--help` says below the list of options: examples, and the environment variables that a command reads. */

interface Help {
  readonly examples: readonly (readonly [command: string, purpose: string])[]
  readonly variables?: readonly (readonly [name: string, meaning: string])[]
  readonly notes?: readonly string[]
}

const NAME_WIDTH = 29

/** Text for commander's `addHelpText('after', …)`. */
export function helpText({ examples, variables = [], notes = [] }: Help): string {
  const width = Math.max(...examples.map(([command]) => command.length))
  const sections = [['Examples:', ...examples.map(([command, purpose]) => `  $ ${command.padEnd(width)}  # ${purpose}`)]]
  if (variables.length > 0) sections.push(['Environment:', ...variables.map(([name, meaning]) => `  ${name.padEnd(NAME_WIDTH)}${meaning}`)])
  if (notes.length > 0) sections.push([...notes])
  return `\n${sections.map((lines) => lines.join('\n')).join('\n\n')}`
}

export const DATABASE_VARIABLES = [
  ['DATABASE_URL', 'a PostgreSQL server; without it the database is embedded'],
  ['<SERVICE>_DATABASE_URL', 'the same for one service, such as ORDERS_DATABASE_URL'],
  ['SKERRY_DATA', 'folder of the embedded database, or "memory" (default: .skerry)'],
] as const

export const RECENT_VARIABLE = [
  'SKERRY_TELEMETRY',
  'file for recent traces, logs and metrics, "memory" or "off" (default: in SKERRY_DATA)',
] as const

export const HOST_VARIABLES = [
  ['PORT', 'the port of the gateway, or of the only service (default: 8080)'],
  ['HOST', 'the interface to listen on (default: 127.0.0.1)'],
  ['<SERVICE>_PORT', 'a port for one service of its own'],
  ['<SERVICE>_URL', 'where a service is that this process does not run: a URL, several with commas, or dns://<name>:<port>'],
  ['REGISTRY_URL', 'where services are found and registered: file:///…, etcd://…, consul://… or kubernetes://'],
  ['ADVERTISE_HOST', 'under which name or address others reach this host (default: where it listens)'],
  ['<SERVICE>_ADVERTISE_URL', 'the same for one service, as a whole URL'],
  ['SKERRY_ZONE', 'where this host is; instances of the same zone are called first'],
  ...DATABASE_VARIABLES,
  ['BROKER_URL, RABBITMQ_URL', 'a RabbitMQ or (BROKER_URL) NATS or Kafka server; without it the broker is embedded'],
  ['ADMIN_PORT', 'a port for the admin API, which is off without one'],
  ['ADMIN_HOST', 'its interface (default: 127.0.0.1); whoever reaches it may use it'],
  RECENT_VARIABLE,
  ['SKERRY_FAULTS', '"on" or "off": whether faults may be injected (default: on, but off with NODE_ENV=production)'],
  ['LOG_LEVEL', 'debug, info, warn, error or silent (default: info)'],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'a collector for traces, metrics and logs, such as http://collector:4318'],
  ['OTEL_TRACES_SAMPLER', 'which traces are recorded, such as traceidratio with OTEL_TRACES_SAMPLER_ARG=0.1'],
  ['SKERRY_WIRE', '"http" or "fast": calls inside the process go over HTTP or the fast wire too'],
  ['SKERRY_FAST_WIRE', '"off": nothing but HTTP between processes'],
  ['SKERRY_DRAIN_MS', 'how long a stopping host stays reachable (default: 0; with a registry up to 5000)'],
  ['SKERRY_GRACE_MS', 'how long requests may take when stopping (default: 25000)'],
  ['SKERRY_CRASH_AT', 'the process kills itself there, such as relay.published:2'],
] as const

export const EXIT_CODES = 'Exit codes: 0 fine, 1 failed, 2 wrong usage, 78 wrong configuration.'
