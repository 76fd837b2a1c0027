/** All that Docker needs to build and run a system, as files for one folder: a Compose file, a Dockerfile for each service, the gateway. */
import type { System } from 'skerry/runtime'
import { GATEWAY } from 'skerry/runtime'
import type { GeneratedFile } from '../generated-file.ts'
import { nginxConfiguration } from '../nginx/configuration.ts'
import type { ComposeOptions } from './compose-file.ts'
import { composeFile, composeVariables } from './compose-file.ts'
import type { ImageOptions } from './dockerfile.ts'
import { CONTAINER_PORT, dockerfile, dockerignore } from './dockerfile.ts'
import { nginxDockerfile } from './gateway-dockerfile.ts'

export interface ContainerOptions extends ImageOptions, ComposeOptions {}

/** Where Docker answers for the names of a Compose file's services. */
const DOCKER_DNS = '127.0.0.11'

/** Paths are relative to `folder`, which the Compose file takes for granted. */
export function containerFiles(system: System, options: ContainerOptions): readonly GeneratedFile[] {
  const services = system.services.map(({ contract }) => contract.name)
  const imageOf = (service: string): readonly GeneratedFile[] => [
    { path: `${service}/Dockerfile`, content: dockerfile(system, service, options) },
    { path: `${service}/Dockerfile.dockerignore`, content: dockerignore(options) },
  ]
  return [
    { path: 'docker-compose.yml', content: composeFile(system, options) },
    { path: '.env.example', content: composeVariables(system) },
    ...services.flatMap(imageOf),
    ...(system.gateway === undefined ? [] : (options.gateway ?? 'nginx') === 'nginx' ? nginxImage(system) : imageOf(GATEWAY)),
  ]
}

function nginxImage(system: System): readonly GeneratedFile[] {
  const upstreams = Object.fromEntries(system.services.map(({ contract: { name } }) => [name, [`${name}:${CONTAINER_PORT}`]]))
  const configuration = nginxConfiguration(system, { upstreams, listen: CONTAINER_PORT, resolver: [DOCKER_DNS] })
  return [
    { path: `${GATEWAY}/Dockerfile`, content: nginxDockerfile() },
    ...configuration.map(({ path, content }) => ({ path: `${GATEWAY}/${path}`, content })),
  ]
}
