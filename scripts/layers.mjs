/**
 * The layers of the core package, top to bottom: a folder of packages/skerry/src imports only from rows above its own.
 * dependency-cruiser's rules, the picture in ARCHITECTURE.md and the tests of the repository are all made from this list.
 */
export const layers = [
  ['base'],
  ['contract'],
  ['engine'],
  ['telemetry', 'resilience', 'identity', 'discovery'],
  ['client', 'events', 'recent'],
  ['http', 'event-store', 'saga'],
  ['wire'],
  ['service'],
  ['privacy', 'gateway'],
  ['runtime'],
  ['simulation', 'testing'],
]
