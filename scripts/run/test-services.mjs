/**
 * The servers that tests run privately: PostgreSQL, RabbitMQ, NATS, etcd, nginx and Prometheus. What is missing is installed through
 * apt-get, without starting Debian's own services; a server named by the environment is used instead and nothing is installed for it.
 */
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { capture } from './process.mjs'
import { Failure, paint, say, seconds } from './terminal.mjs'

const needs = [
  {
    name: 'PostgreSQL',
    variable: 'SKERRY_TEST_POSTGRES_URL',
    packages: ['postgresql-15', 'postgresql'],
    isInstalled: () =>
      readFolder('/usr/lib/postgresql').some((version) => existsSync(`/usr/lib/postgresql/${version}/bin/initdb`)) || isOnPath('initdb'),
  },
  {
    name: 'RabbitMQ',
    variable: 'SKERRY_TEST_RABBITMQ_URL',
    packages: ['rabbitmq-server'],
    isInstalled: () => existsSync('/usr/lib/rabbitmq/bin/rabbitmq-server') || isOnPath('rabbitmq-server'),
  },
  {
    name: 'NATS',
    variable: 'SKERRY_TEST_NATS_URL',
    packages: ['nats-server'],
    isInstalled: () => existsSync('/usr/sbin/nats-server') || isOnPath('nats-server'),
  },
  {
    name: 'etcd',
    variable: 'SKERRY_TEST_ETCD_URL',
    packages: ['etcd-server'],
    isInstalled: () => existsSync('/usr/bin/etcd') || isOnPath('etcd'),
  },
  {
    name: 'nginx',
    variable: undefined,
    packages: ['nginx-light', 'nginx'],
    isInstalled: () => existsSync('/usr/sbin/nginx') || isOnPath('nginx'),
  },
  {
    name: 'Prometheus',
    variable: undefined,
    packages: ['prometheus'],
    isInstalled: () => isOnPath('prometheus'),
  },
]

// Exit code 101 of policy-rc.d forbids package scripts to start services. An administrator's own policy stays; ours goes.
const installation = `
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  trap 'exit 130' INT
  trap 'exit 143' HUP TERM
  printf '#!/bin/sh\\nexit 101\\n' > $policy && chmod 755 $policy || exit 1
fi
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
options='-q -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3'
apt-get $options update || echo 'apt-get update failed; going on with the package lists there are'
chosen=
for choice in "$@"; do
  for package in $(echo "$choice" | tr , ' '); do
    if apt-cache show "$package" >/dev/null 2>&1; then break; fi
  done
  chosen="$chosen $package"
done
apt-get $options install --yes --no-install-recommends $chosen
`

/**
 * Installs what is missing. When nobody can (no apt-get, no root) that is a failure if the services are `required`, else
 * a word of warning: the tests that were selected may not need them.
 * @param {{ required: boolean }} options
 */
export async function testServices({ required }) {
  const missing = needs.filter(({ variable, isInstalled }) => (variable === undefined || !process.env[variable]) && !isInstalled())
  if (missing.length === 0) return
  try {
    await install(missing)
  } catch (error) {
    if (required || !(error instanceof Failure)) throw error
    say(`${error.message} Tests that need ${names(missing)} will fail.`)
  }
}

/** @param {typeof needs} missing */
async function install(missing) {
  const alternatives = missing.flatMap(({ variable }) => variable ?? []).join(' and ')
  const otherwise = alternatives === '' ? '' : `, or name servers of your own in ${alternatives}`
  const command = `apt-get install ${missing.map(({ packages }) => packages[0]).join(' ')}`
  if (!isOnPath('apt-get'))
    throw new Failure(
      `The tests need ${names(missing)}, and this machine has no apt-get to install them with.`,
      `Install them your system's way${otherwise}.`,
    )
  const prefix = await asRoot()
  if (prefix === undefined)
    throw new Failure(`The tests need ${names(missing)}, and only root may install them.`, `Run \`sudo ${command}\`${otherwise}.`)

  say(`Installing ${names(missing)} for the tests through apt-get (they are not started as services)`)
  const startedMs = performance.now()
  const [program = '', ...parameters] = [
    ...prefix,
    '/bin/sh',
    '-c',
    installation,
    'install',
    ...missing.map(({ packages }) => packages.join(',')),
  ]
  const { code, output } = await capture(program, parameters, { onLine: (line) => console.log(paint('dim', `  ${line}`)) })
  const still = missing.filter(({ isInstalled }) => !isInstalled())
  if (code !== 0 || still.length > 0) throw aptFailure(code, output, command, otherwise)
  say(`${names(missing)} can be used (${seconds(startedMs)})`)
}

/**
 * Why apt-get failed, as far as its output tells.
 * @param {number} code
 * @param {string} output
 * @param {string} command
 * @param {string} otherwise
 */
export function aptFailure(code, output, command, otherwise) {
  if (/No space left|enough free space/i.test(output))
    return new Failure('The disk is full.', 'Free about 1 GB (df -h shows where), then repeat the command.')
  if (/Temporary failure resolving|Could not resolve|Could not connect|Failed to fetch|Network is unreachable|timed out/i.test(output))
    return new Failure(
      'The package mirror could not be reached.',
      `Check the network and apt's proxy, then repeat the command${otherwise}.`,
    )
  if (/Could not get lock|Unable to (?:acquire|lock)/i.test(output))
    return new Failure('Another program is installing packages.', 'Wait until it is done, then repeat the command.')
  if (/Unable to locate package|has no installation candidate/i.test(output))
    return new Failure('This system does not offer all of these packages.', `Install them from where you trust${otherwise}.`)
  return new Failure(`apt-get ended with exit code ${code}; its last words are above.`, `See what \`${command}\` says${otherwise}.`)
}

/** @returns {Promise<string[] | undefined>} what to put before a command so that root runs it; undefined when we cannot */
async function asRoot() {
  if (process.getuid?.() === 0) return []
  const { code } = await capture('sudo', ['-n', 'true'])
  return code === 0 ? ['sudo', '-n'] : undefined
}

/** @param {typeof needs} list */
function names(list) {
  return list
    .map(({ name }) => name)
    .join(', ')
    .replace(/, ([^,]*)$/, ' and $1')
}

/** @param {string} program */
function isOnPath(program) {
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => existsSync(join(directory, program)))
}

/** @param {string} directory */
function readFolder(directory) {
  return existsSync(directory) ? readdirSync(directory) : []
}
