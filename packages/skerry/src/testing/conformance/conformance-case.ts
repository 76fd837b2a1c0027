/** One promise of a port. `run` throws (an AssertionError that says what was expected) when the engine breaks it. */
export interface ConformanceCase<Subject> {
  readonly name: string
  run(subject: Subject): Promise<void>
}
