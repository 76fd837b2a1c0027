/**
 * Which traces are recorded. Set by OpenTelemetry's own variables, OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG; by default all that begin here,
 * and downstream what was decided where they began.
 */

/** Whether work of a trace of this id is recorded; `parentSampled` is what was decided before, undefined where the trace begins. */
export type Sampler = (traceId: () => string, parentSampled: boolean | undefined) => boolean

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

/** By the name that OpenTelemetry gives it; `ratio` is the share of traces, from 0 to 1. Those that are `parentbased` do as was done before. */
export function samplerOf(name: SamplerName, ratio: number): Sampler {
  const atRoot = name.endsWith('always_on') ? ALWAYS : name.endsWith('always_off') ? NEVER : ratioSampler(ratio)
  return name.startsWith('parentbased') ? (traceId, parentSampled) => parentSampled ?? atRoot(traceId, undefined) : atRoot
}

/** The same traces at every host that is given the same ratio: the last bits of the id decide, which are random in every system. */
function ratioSampler(ratio: number): Sampler {
  const digits = 13
  const below = ratio * 16 ** digits
  return (traceId) => Number.parseInt(traceId().slice(-digits), 16) < below
}
