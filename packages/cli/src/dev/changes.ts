/** What has changed since somebody last asked. */
export class Changes {
  #paths = new Set<string>()
  #next = Promise.withResolvers<'changed'>()

  add(paths: readonly string[]): void {
    for (const path of paths) this.#paths.add(path)
    this.#next.resolve('changed')
  }

  /** Resolves when there is something to take. */
  get happened(): Promise<'changed'> {
    return this.#next.promise
  }

  take(): readonly string[] {
    const paths = [...this.#paths]
    this.#paths = new Set()
    this.#next = Promise.withResolvers()
    return paths
  }
}
