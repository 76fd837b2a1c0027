/** Who telemetry is of, as OpenTelemetry's resources say it: each service of the system by its own name, in one process too. */
import type { Resource } from '@opentelemetry/resources'
import { defaultResource, detectResources, envDetector, resourceFromAttributes, serviceInstanceIdDetector } from '@opentelemetry/resources'

export class Resources {
  readonly #system: string
  readonly #common: Resource
  readonly #byService = new Map<string, Resource>()

  /** OTEL_RESOURCE_ATTRIBUTES adds to it. */
  constructor(system: string) {
    this.#system = system
    this.#common = defaultResource().merge(detectResources({ detectors: [envDetector, serviceInstanceIdDetector] }))
  }

  of(service: string): Resource {
    let resource = this.#byService.get(service)
    if (resource === undefined) {
      resource = this.#common.merge(resourceFromAttributes({ 'service.name': service, 'service.namespace': this.#system }))
      this.#byService.set(service, resource)
    }
    return resource
  }
}
