/**
 * Which traces are recorded, decided where they begin: everybody downstream does as the first did. Set by OpenTelemetry's own variables,
 * OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG.
 */

/** Whether a trace of this id, that begins here, is recorded. */
export type Sampler = (traceId: () => string) => boolean

export const ALWAYS: Sampler = () => true
export const NEVER: Sampler = () => false

export const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const
export type SamplerName = (typeof SAMPLERS)[number]

/** By the name that OpenTelemetry gives it; `ratio` is the share of traces, from 0 to 1. All of ours do as their parent did. */
export function samplerOf(name: SamplerName, ratio: number): Sampler {
  if (name.endsWith('always_on')) return ALWAYS
  if (name.endsWith('always_off')) return NEVER
  return ratioSampler(ratio)
}

/** The same traces at every host that is given the same ratio: the last bits of the id decide, which are random in every system. */
function ratioSampler(ratio: number): Sampler {
  const digits = 13
  const below = ratio * 16 ** digits
  return (traceId) => Number.parseInt(traceId().slice(-digits), 16) < below
}
