/** `@skerry/opentelemetry`: traces, metrics and logs of a host to whatever takes OTLP. The `skerry` command loads it when an endpoint is set. */
export { isOtlpWanted, openOtlp } from './otlp.ts'
export type { Otlp, OtlpOptions } from './otlp.ts'
