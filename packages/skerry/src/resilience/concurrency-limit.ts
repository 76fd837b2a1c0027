/** How much may be in progress at once. What comes on top is refused and not queued: whoever waits in a queue holds what others need (a bulkhead). */
export class ConcurrencyLimit {
  readonly #maxConcurrent: number
  #inProgress = 0

  constructor(maxConcurrent: number) {
    this.#maxConcurrent = maxConcurrent
  }

  /** False when there is as much in progress as there may be; else `leave` must follow. */
  enter(): boolean {
    if (this.#inProgress >= this.#maxConcurrent) return false
    this.#inProgress++
    return true
  }

  leave(): void {
    this.#inProgress--
  }
}
