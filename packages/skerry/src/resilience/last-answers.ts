/**
 * The last good answers by what was asked, bounded in number, in bytes and in age. Kept as text, so that nobody changes what others are given.
 * Whatever has been answered since counts: a late answer to an earlier call brings nothing back.
 */
export interface LastAnswer {
  readonly value: unknown
  readonly ageMs: number
}

export interface LastAnswersSettings {
  readonly maxEntries: number
  /** Of all of them together, with what was asked. */
  readonly maxBytes: number
  readonly maxAgeMs: number
}

/** A larger answer is not kept: one of that size in place of very many others is a bad trade. */
export const MAX_ENTRY_BYTES = 262_144
/** A character takes one or two bytes of memory, by what else is in its text; two are reckoned with. */
const CHARACTER_BYTES = 2
/** What the entry itself takes, whatever is in it. */
const OVERHEAD_BYTES = 200

/** A call in progress. */
export interface Asking {
  readonly question: string
  /** Which of all calls it is. */
  readonly turn: number
}

interface Kept {
  readonly text: string | undefined
  readonly bytes: number
  readonly atMs: number
}

interface InProgress {
  calls: number
  /** Of those that have been answered meanwhile, the one that was begun last. */
  answered: number
}

export class LastAnswers {
  readonly #settings: LastAnswersSettings
  /** The oldest first. */
  readonly #kept = new Map<string, Kept>()
  readonly #inProgress = new Map<string, InProgress>()
  #bytes = 0
  #turns = 0

  constructor(settings: LastAnswersSettings) {
    this.#settings = settings
  }

  /** A call begins. It must end with `end`. */
  begin(question: string): Asking {
    const inProgress = this.#inProgress.get(question)
    if (inProgress === undefined) this.#inProgress.set(question, { calls: 1, answered: 0 })
    else inProgress.calls++
    return { question, turn: ++this.#turns }
  }

  end({ question }: Asking): void {
    const inProgress = this.#inProgress.get(question)!
    if (--inProgress.calls === 0) this.#inProgress.delete(question)
  }

  /** It was answered with `value`. */
  remember(asking: Asking, value: unknown, nowMs: number): void {
    if (!this.#isNews(asking)) return
    const { question } = asking
    this.#drop(question)
    const { maxEntries, maxBytes, maxAgeMs } = this.#settings
    for (const [other, { atMs }] of this.#kept) {
      if (nowMs - atMs <= maxAgeMs) break
      this.#drop(other)
    }
    const text = JSON.stringify(value) as string | undefined
    const bytes = OVERHEAD_BYTES + CHARACTER_BYTES * (question.length + (text?.length ?? 0))
    if (bytes > Math.min(MAX_ENTRY_BYTES, maxBytes)) return
    this.#kept.set(question, { text, bytes, atMs: nowMs })
    this.#bytes += bytes
    for (const other of this.#kept.keys()) {
      if (this.#kept.size <= maxEntries && this.#bytes <= maxBytes) break
      this.#drop(other)
    }
  }

  /** It was answered with something else than a good answer: what was known is true no more. */
  forget(asking: Asking): void {
    if (this.#isNews(asking)) this.#drop(asking.question)
  }

  /** A copy; undefined when nothing is known, or nothing recent enough. */
  find(question: string, nowMs: number): LastAnswer | undefined {
    const kept = this.#kept.get(question)
    if (kept === undefined) return undefined
    const ageMs = Math.max(0, nowMs - kept.atMs)
    if (ageMs <= this.#settings.maxAgeMs) return { value: kept.text === undefined ? undefined : JSON.parse(kept.text), ageMs }
    this.#drop(question)
    return undefined
  }

  /** False when a call that was begun later has been answered already. */
  #isNews({ question, turn }: Asking): boolean {
    const inProgress = this.#inProgress.get(question)!
    if (inProgress.answered > turn) return false
    inProgress.answered = turn
    return true
  }

  #drop(question: string): void {
    this.#bytes -= this.#kept.get(question)?.bytes ?? 0
    this.#kept.delete(question)
  }
}
