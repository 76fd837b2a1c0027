/**
 * What is counted and measured in a process: counters, histograms, and values that are read when somebody asks. Names, units and labels follow
 * OpenTelemetry's semantic conventions; how they are handed out (Prometheus, OTLP) is for others to know. Every metric is bounded.
 */

export type Labels = Readonly<Record<string, string | number | boolean>>

export interface MetricDefinition {
  /** `rpc.server.call.duration` */
  readonly name: string
  /** A unit of the Unified Code for Units of Measure: `s`, `By`, `1`, `{event}`. */
  readonly unit: string
  readonly description: string
}

export interface HistogramDefinition extends MetricDefinition {
  /** Upper bounds, ascending. Default: those for durations in seconds. */
  readonly bounds?: readonly number[]
}

export interface Counter {
  add(by?: number): void
}

export interface Histogram {
  record(value: number): void
}

/** One value of one set of labels. */
export interface Point {
  readonly labels: Labels
  readonly value: number
}

export interface HistogramPoint {
  readonly labels: Labels
  readonly count: number
  readonly sum: number
  /** As many as there are bounds, and one for what is larger than all of them. */
  readonly buckets: readonly number[]
}

export type MetricSnapshot = MetricDefinition &
  (
    | { readonly kind: 'counter' | 'gauge'; readonly points: readonly Point[] }
    | { readonly kind: 'histogram'; readonly bounds: readonly number[]; readonly points: readonly HistogramPoint[] }
  )

/** Below a millisecond for calls inside a process, then as OpenTelemetry advises for durations. */
const SECONDS = [0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const
/** Sets of labels of one metric. What comes on top is counted together, under OpenTelemetry's label for that. */
const MAX_SERIES = 2_000
const OVERFLOW: Labels = { 'otel.metric.overflow': true }

type Read = () => readonly Point[] | Promise<readonly Point[]>

interface Family {
  readonly definition: MetricDefinition
  readonly snapshot: () => MetricSnapshot | Promise<MetricSnapshot>
}

export class Metrics {
  readonly #families = new Map<string, Family>()
  readonly #series = new Map<string, Series<CounterSeries> | Series<HistogramSeries>>()

  /** What only grows. The same name gives the same counter. */
  counter(definition: MetricDefinition, labels: Labels): Counter {
    let series = this.#series.get(definition.name) as Series<CounterSeries> | undefined
    if (series === undefined) {
      const made = new Series((of) => new CounterSeries(of))
      this.#add(definition, made, () => ({ ...definition, kind: 'counter', points: made.all.map((one) => one.point) }))
      series = made
    }
    return series.of(labels)
  }

  /** How often values of which size came. The same name gives the same histogram. */
  histogram(definition: HistogramDefinition, labels: Labels): Histogram {
    let series = this.#series.get(definition.name) as Series<HistogramSeries> | undefined
    if (series === undefined) {
      const { bounds = SECONDS, ...rest } = definition
      const made = new Series((of) => new HistogramSeries(of, bounds))
      this.#add(definition, made, () => ({ ...rest, kind: 'histogram', bounds, points: made.all.map((one) => one.point) }))
      series = made
    }
    return series.of(labels)
  }

  /** What can be read at any time. What `read` throws leaves the metric out of that snapshot, and nothing else. */
  observe(definition: MetricDefinition, kind: 'counter' | 'gauge', read: Read): void {
    this.#families.set(definition.name, { definition, snapshot: async () => ({ ...definition, kind, points: await read() }) })
  }

  /** All of it as it is now. */
  async snapshot(): Promise<readonly MetricSnapshot[]> {
    const taken = await Promise.allSettled([...this.#families.values()].map(async ({ snapshot }) => snapshot()))
    return taken.flatMap((one) => (one.status === 'fulfilled' && one.value.points.length > 0 ? [one.value] : []))
  }

  #add(definition: MetricDefinition, series: Series<CounterSeries> | Series<HistogramSeries>, snapshot: () => MetricSnapshot): void {
    this.#series.set(definition.name, series)
    this.#families.set(definition.name, { definition, snapshot })
  }
}

/** One for each set of labels. */
class Series<T> {
  readonly #make: (labels: Labels) => T
  readonly #byLabels = new Map<string, T>()

  constructor(make: (labels: Labels) => T) {
    this.#make = make
  }

  get all(): readonly T[] {
    return [...this.#byLabels.values()]
  }

  of(labels: Labels): T {
    const key = JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    const known = this.#byLabels.get(key)
    if (known !== undefined) return known
    if (this.#byLabels.size >= MAX_SERIES && labels !== OVERFLOW) return this.of(OVERFLOW)
    const made = this.#make(labels)
    this.#byLabels.set(key, made)
    return made
  }
}

class CounterSeries implements Counter {
  readonly #labels: Labels
  #value = 0

  constructor(labels: Labels) {
    this.#labels = labels
  }

  get point(): Point {
    return { labels: this.#labels, value: this.#value }
  }

  add(by = 1): void {
    this.#value += by
  }
}

class HistogramSeries implements Histogram {
  readonly #labels: Labels
  readonly #bounds: readonly number[]
  readonly #buckets: number[]
  #count = 0
  #sum = 0

  constructor(labels: Labels, bounds: readonly number[]) {
    this.#labels = labels
    this.#bounds = bounds
    this.#buckets = Array.from({ length: bounds.length + 1 }, () => 0)
  }

  get point(): HistogramPoint {
    return { labels: this.#labels, count: this.#count, sum: this.#sum, buckets: [...this.#buckets] }
  }

  record(value: number): void {
    let index = 0
    while (index < this.#bounds.length && value > this.#bounds[index]!) index++
    this.#buckets[index]!++
    this.#count++
    this.#sum += value
  }
}
