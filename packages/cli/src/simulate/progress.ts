/** How far a run of seeds is, on standard error: one line that changes at a terminal, else a line now and then. */
import process from 'node:process'
import { styleText } from 'node:util'
import { systemClock } from 'skerry/engine'
import type { SeedReport } from './runner.ts'

const QUIET_MS = 10_000
const TERMINAL_MS = 100

/** The sums over all seeds so far. */
export class Totals {
  seeds = 0
  failures = 0
  steps = 0
  readonly faults = new Map<string, number>()
  readonly crashPoints = new Map<string, number>()
  readonly sometimes = new Map<string, number>()

  add(report: SeedReport): void {
    this.seeds++
    if (report.failed !== undefined) this.failures++
    this.steps += report.steps
    addAll(this.faults, report.faults)
    addAll(this.crashPoints, report.crashPoints)
    addAll(this.sometimes, report.sometimes)
  }

  get faultsInjected(): number {
    return [...this.faults.values()].reduce((sum, count) => sum + count, 0)
  }
}

function addAll(sums: Map<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) sums.set(name, (sums.get(name) ?? 0) + count)
}

export class Progress {
  readonly #startedMs = systemClock.nowMs()
  #shownMs = this.#startedMs
  readonly #total: number | undefined
  readonly #points: number

  /** `total`: how many seeds there will be; undefined until it is stopped. `points`: how many crash points there are. */
  constructor(total: number | undefined, points: number) {
    this.#total = total
    this.#points = points
  }

  show(totals: Totals): void {
    const nowMs = systemClock.nowMs()
    if (nowMs - this.#shownMs < (process.stderr.isTTY ? TERMINAL_MS : QUIET_MS)) return
    this.#shownMs = nowMs
    const line = this.line(totals)
    process.stderr.write(process.stderr.isTTY ? `\r\u001b[K${line}` : `${line}\n`)
  }

  clear(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
  }

  /** `  37 of 100 seeds  412 a minute  1,204 faults  48,113 scheduling points  19 of 32 crash points` */
  line(totals: Totals): string {
    const perMinute = Math.round(totals.seeds / ((systemClock.nowMs() - this.#startedMs) / 60_000))
    const of = this.#total === undefined ? '' : ` of ${number(this.#total)}`
    const counts = [
      `${number(totals.seeds)}${of} seeds`,
      `${number(perMinute)} a minute`,
      `${number(totals.faultsInjected)} faults`,
      `${number(totals.steps)} scheduling points`,
      `${totals.crashPoints.size} of ${this.#points} crash points passed`,
    ]
    const failures = totals.failures === 0 ? [] : [styleText('red', `${totals.failures} failed`)]
    return `  ${[...counts, ...failures].join('  ')}`
  }
}

function number(value: number): string {
  return value.toLocaleString('en-US')
}
